//! What needs two people: asking, agreeing, refusing.
use super::plain;
use crate::store::{
    Store, StoreError,
    door_types::{Approved, NewRequest, RequestRow},
    types::{By, Override, PlanContext},
};
use jiff::civil::Date;

impl Store {
    /// What two people allow beyond the rules in a cycle, and isn't used up.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn overrides(&self, cycle: Date) -> Result<Vec<Override>, StoreError> {
        on!(self, pool, sql => sql::overrides::of_cycle(pool, cycle).await)
    }

    /// What a plan of a cycle is judged under now: with what two people allow beyond the rules in it.
    ///
    /// # Errors
    /// As [`Store::plan_context`] and [`Store::overrides`].
    pub async fn plan_context_of(&self, cycle: Date) -> Result<PlanContext, StoreError> {
        Ok(PlanContext { overrides: self.overrides(cycle).await?, ..self.plan_context().await? })
    }

    /// The newest requests: those that wait for somebody, or all.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Broken`].
    pub async fn requests(&self, all: bool, limit: i64) -> Result<Vec<RequestRow>, StoreError> {
        on!(self, pool, sql => sql::requests::list(pool, all, limit.max(0)).await)
    }

    /// How many requests wait for a yes or a no.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn open_requests(&self) -> Result<i64, StoreError> {
        on!(self, pool, sql => sql::requests::open_count(pool).await)
    }

    /// Asks two people for something; gives the request and the journal's number. A crash before the commit asks nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`], [`StoreError::Database`].
    pub async fn open_request(&self, new: &NewRequest) -> Result<(RequestRow, i64), StoreError> {
        let detail = new.detail.to_string();
        for (what, text) in [("the reason", &new.reason), ("the subject", &new.subject), ("the request", &detail)] {
            plain(what, text)?;
        }
        let now_ms = self.clock.now_ms();
        let id = self.ids.request(now_ms);
        on!(self, pool, sql => sql::requests::open(pool, now_ms, &id, new).await)
    }

    /// A person's yes to exactly what this hash is of. The second person's does it, in the same transaction; a crash before the commit
    /// leaves the request as it was.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for another hash, the same person again, a request that is decided, or one that can't be done as things
    /// stand; [`StoreError::NotFound`], [`StoreError::Database`].
    pub async fn approve(&self, id: &str, hash: &str, by: &By, reason: &str) -> Result<Approved, StoreError> {
        for (what, text) in [("the reason", reason), ("the request's id", id)] {
            plain(what, text)?;
        }
        let now_ms = self.clock.now_ms();
        let new_id = self.ids.request(now_ms);
        on!(self, pool, sql => sql::requests::approve(pool, now_ms, &new_id, (id, hash), by, reason).await)
    }

    /// A person's no: nothing is done, a run that waited is paused.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a request that is decided; [`StoreError::NotFound`], [`StoreError::Database`].
    pub async fn reject(&self, id: &str, by: &By, reason: &str) -> Result<Approved, StoreError> {
        for (what, text) in [("the reason", reason), ("the request's id", id)] {
            plain(what, text)?;
        }
        let now_ms = self.clock.now_ms();
        on!(self, pool, sql => sql::requests::reject(pool, now_ms, id, by, reason).await)
    }
}
