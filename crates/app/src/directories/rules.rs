//! What of a directory's word may count: checked when it is said, so that no push fails for it later.

use wane_domain::directory::DirectoryRules;
use wane_domain::text::Name;
use wane_domain::world::World;
use wane_scim::patch;
use wane_scim::schema::ResourceKind;

use crate::App;
use crate::error::AppError;

/// Attributes that are mapped.
const MOST_ATTRIBUTES: usize = 64;
/// Groups that are mapped.
const MOST_GROUPS: usize = 4096;

impl App {
    pub(crate) fn check_rules(&self, world: &World, keeper: &Name, rules: &DirectoryRules) -> Result<(), AppError> {
        path("rules.name", &rules.name)?;
        path("rules.display", &rules.display)?;
        if rules.attributes.len() > MOST_ATTRIBUTES || rules.groups.len() > MOST_GROUPS {
            let why = format!("at most {MOST_ATTRIBUTES} attributes and {MOST_GROUPS} groups are mapped");
            return Err(AppError::invalid("rules", why));
        }
        for from in rules.attributes.values() {
            path("rules.attributes", from)?;
        }
        if let Some(sign_in) = &rules.sign_in {
            self.provider(sign_in.provider.as_str())?;
            path("rules.sign_in.subject", &sign_in.subject)?;
        }
        let mut ours = std::collections::BTreeSet::new();
        for name in rules.groups.values() {
            if !ours.insert(name) {
                return Err(AppError::invalid("rules.groups", format!("two groups are mapped to `{name}`")));
            }
            // A group that is somebody else's stays theirs: nobody becomes an administrator by a mapping to where
            // administrators are.
            if world.group(name.as_str()).is_some_and(|group| group.kept_by.as_ref() != Some(keeper)) {
                let why = format!("there is a group `{name}` that is not this directory's; map to a name that is free");
                return Err(AppError::Taken(why));
            }
        }
        Ok(())
    }
}

fn path(field: &str, path: &str) -> Result<(), AppError> {
    patch::target(ResourceKind::User, path).map(drop).map_err(|e| AppError::invalid(field, e))
}
