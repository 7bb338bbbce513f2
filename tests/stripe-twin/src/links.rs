//! Account links: one-time addresses where a creator gives Stripe what Stripe still wants.
//! Called by endpoints. Invariant: a link is for onboarding only, since Stripe itself collects the twin's requirements.

use serde_json::{Value, json};

use crate::clock::Now;
use crate::errors::ApiError;
use crate::form::Form;
use crate::shape;
use crate::world::World;

/// How long a link lives, in seconds.
const LIFE_S: i64 = 300;

/// A link as asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewLink {
    account: String,
    is_update: bool,
}

impl NewLink {
    pub(crate) fn read(form: &Form) -> Result<Self, ApiError> {
        let known = ["account", "collect", "collection_options", "expand", "refresh_url", "return_url", "type"];
        crate::read::unexpanded(form, &known)?;
        let account = form.required("account")?.to_owned();
        let kind = form.required("type")?;
        if !matches!(kind, "account_onboarding" | "account_update") {
            let text = "Invalid type: must be one of account_onboarding or account_update";
            return Err(ApiError::invalid("type", text));
        }
        for name in ["refresh_url", "return_url"] {
            let url = form.required(name)?;
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(ApiError::invalid(name, "Not a valid URL"));
            }
        }
        Ok(Self { account, is_update: kind == "account_update" })
    }
}

impl World {
    pub(crate) fn link_account(&mut self, now: Now, new: &NewLink) -> Result<Value, ApiError> {
        let known = self.accounts.get(&new.account).filter(|account| !account.more.is_deauthorized);
        if known.is_none() || new.account == crate::PLATFORM_ACCOUNT {
            return Err(ApiError::no_such("account", &new.account, "account", 400));
        }
        if new.is_update {
            let text = "You cannot create `account_update` type Account Links for this account, because Stripe and not \
                        your platform collects its requirements. Use `account_onboarding` instead.";
            return Err(ApiError::invalid("type", text));
        }
        let token = self.next_id("link");
        let token = token.trim_start_matches("link_");
        Ok(shape::laid_over(
            "account_link",
            json!({
                "created": now.date_s(),
                "expires_at": now.date_s() + LIFE_S,
                "url": format!("https://connect.stripe.com/setup/e/{}/{token}", new.account),
            }),
        ))
    }
}
