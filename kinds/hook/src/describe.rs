//! What can be ended and what cannot, in words for approvers: what is declared, and what follows from what is not.

use serde_json::Value;
use wane_connector::Describe;

use crate::settings::Settings;

pub(crate) fn it(settings: &Value) -> Describe {
    let Ok(settings) = Settings::read(settings) else {
        return Describe {
            hands_out: "nothing: its settings cannot be read".to_owned(),
            revokes_logins: false,
            kills_sessions: false,
            residual_logins_secs: 0,
            residual_sessions_secs: None,
            survives: "whatever is there".to_owned(),
        };
    };
    let (residual, offers) = (&settings.residual, settings.offers());
    let mut survives: Vec<&str> = Vec::new();
    if !residual.survives.is_empty() {
        survives.push(&residual.survives);
    }
    if residual.sessions_secs.is_none() {
        survives.push("sessions that are open go on until the target ends them");
    }
    if !offers.proves() {
        survives.push("the target cannot be asked whether it is gone: it counts as over when it ends by itself");
    } else if !offers.verify {
        survives.push("that it is gone is read from a list of the target");
    }
    if !settings.lists_all() {
        survives.push("what was made and forgotten is not found: the target lists nothing");
    }
    if offers.ends_itself && !offers.extend {
        survives.push("given more time, it still ends at its first end");
    }
    Describe {
        hands_out: settings.hands_out.clone(),
        // Where nothing can be asked, nothing is claimed.
        revokes_logins: offers.proves(),
        kills_sessions: residual.sessions_secs.is_some(),
        residual_logins_secs: residual.logins_secs,
        residual_sessions_secs: residual.sessions_secs,
        survives: survives.join("; "),
    }
}
