//! Webhook endpoints made through the API: whom they belong to, what they want to hear, their secrets.
//! Called by endpoints and by `emit`. Invariant: a secret is shown once, in the answer that made it.

use serde_json::{Value, json};

use crate::clock::Now;
use crate::errors::ApiError;
use crate::eventlog::matches_kind;
use crate::form::{Form, check_metadata};
use crate::ids;
use crate::market::Metadata;
use crate::read::{Page, unexpanded};
use crate::shape;
use crate::world::World;

/// Endpoints that an account may have.
const HOOKS_MAX: usize = 16;

/// An endpoint as asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewHook {
    url: String,
    enabled_events: Vec<String>,
    connect: bool,
    api_version: Option<String>,
    description: Option<String>,
    metadata: Metadata,
}

/// What is to change; what is left out stays.
#[derive(Debug, Clone)]
pub(crate) struct HookChange {
    url: Option<String>,
    enabled_events: Vec<String>,
    disabled: Option<bool>,
    description: Option<String>,
    metadata: Metadata,
}

/// An endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) api_version: Option<String>,
    pub(crate) url: String,
    enabled_events: Vec<String>,
    /// Hears of connected accounts, and of nothing else.
    connect: bool,
    disabled: bool,
    description: Option<String>,
    metadata: Metadata,
    created: i64,
}

impl Hook {
    pub(crate) fn wants(&self, kind: &str, is_connected: bool) -> bool {
        !self.disabled
            && self.connect == is_connected
            && self.enabled_events.iter().any(|wanted| wanted == "*" || matches_kind(wanted, kind))
    }

    fn value(&self, livemode: bool, with_secret: bool) -> Value {
        let mut object = shape::laid_over(
            "webhook_endpoint",
            json!({
                "id": self.id,
                "api_version": self.api_version,
                "application": if self.connect { Value::from(crate::shape_market::APPLICATION) } else { Value::Null },
                "created": self.created,
                "description": self.description,
                "enabled_events": self.enabled_events,
                "livemode": livemode,
                "status": if self.disabled { "disabled" } else { "enabled" },
                "url": self.url,
            }),
        );
        object["metadata"] = json!(self.metadata);
        if with_secret {
            object["secret"] = self.secret.clone().into();
        }
        object
    }
}

fn url(form: &Form) -> Result<Option<String>, ApiError> {
    let Some(url) = form.text("url") else {
        return Ok(None);
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(ApiError::invalid("url", "Invalid URL: An explicit scheme (such as https) must be provided."));
    }
    Ok(Some(url))
}

fn checked_metadata(form: &Form) -> Result<Metadata, ApiError> {
    let metadata = form.map("metadata");
    check_metadata(&metadata)?;
    Ok(metadata)
}

impl NewHook {
    pub(crate) fn read(form: &Form) -> Result<Self, ApiError> {
        unexpanded(form, &["api_version", "connect", "description", "enabled_events", "expand", "metadata", "url"])?;
        let enabled_events = form.list("enabled_events");
        form.required("url")?;
        if enabled_events.is_empty() {
            return Err(ApiError::missing_parameter("enabled_events"));
        }
        Ok(Self {
            url: url(form)?.unwrap_or_default(),
            enabled_events,
            connect: form.boolean("connect")?.unwrap_or(false),
            api_version: form.text("api_version"),
            description: form.text("description"),
            metadata: checked_metadata(form)?,
        })
    }
}

impl HookChange {
    pub(crate) fn read(form: &Form) -> Result<Self, ApiError> {
        unexpanded(form, &["description", "disabled", "enabled_events", "expand", "metadata", "url"])?;
        Ok(Self {
            url: url(form)?,
            enabled_events: form.list("enabled_events"),
            disabled: form.boolean("disabled")?,
            description: form.text("description"),
            metadata: checked_metadata(form)?,
        })
    }
}

impl World {
    pub(crate) fn create_hook(&mut self, now: Now, new: &NewHook) -> Result<Value, ApiError> {
        if self.hooks.len() >= HOOKS_MAX {
            let text = format!("You have reached the maximum of {HOOKS_MAX} webhook endpoints.");
            return Err(ApiError::invalid("url", &text));
        }
        let id = self.next_id("we");
        let salts: Vec<String> = (0..3).map(|n| ids::salt(ids::mix(self.rules.seed, n), &id)).collect();
        let hook = Hook {
            secret: format!("whsec_{}", salts.concat()),
            id,
            api_version: new.api_version.clone(),
            url: new.url.clone(),
            enabled_events: new.enabled_events.clone(),
            connect: new.connect,
            disabled: false,
            description: new.description.clone(),
            metadata: new.metadata.clone(),
            created: now.date_s(),
        };
        let value = hook.value(self.rules.livemode, true);
        self.hooks.push(hook);
        Ok(value)
    }

    fn hook_place(&self, id: &str) -> Result<usize, ApiError> {
        let place = self.hooks.iter().position(|hook| hook.id == id);
        place.ok_or_else(|| ApiError::no_such("webhook endpoint", id, "webhook_endpoint", 404))
    }

    pub(crate) fn change_hook(&mut self, id: &str, change: &HookChange) -> Result<Value, ApiError> {
        let place = self.hook_place(id)?;
        let hook = &mut self.hooks[place];
        if let Some(url) = &change.url {
            hook.url.clone_from(url);
        }
        if !change.enabled_events.is_empty() {
            hook.enabled_events.clone_from(&change.enabled_events);
        }
        hook.disabled = change.disabled.unwrap_or(hook.disabled);
        if let Some(description) = &change.description {
            hook.description = Some(description.clone());
        }
        hook.metadata.extend(change.metadata.clone());
        Ok(hook.value(self.rules.livemode, false))
    }

    pub(crate) fn delete_hook(&mut self, id: &str) -> Result<(), ApiError> {
        let place = self.hook_place(id)?;
        self.hooks.remove(place);
        Ok(())
    }

    pub(crate) fn hook_retrieve(&self, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        Ok(self.hooks[self.hook_place(id)?].value(self.rules.livemode, false))
    }

    pub(crate) fn hook_list(&self, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["ending_before", "expand", "limit", "starting_after"])?;
        let page = Page::read(query)?;
        let rows = self.hooks.iter().rev().enumerate();
        let rank = |id: &str| self.hooks.iter().rev().position(|hook| hook.id == id);
        let (rows, has_more) = page.cut(rows, "webhook endpoint", rank)?;
        let data = rows.into_iter().map(|hook| hook.value(self.rules.livemode, false)).collect();
        Ok(shape::list("/v1/webhook_endpoints", data, has_more))
    }
}
