//! The laws of ids and artifact names: round trip, order in time, one spelling.

use proptest::prelude::*;
use wane_domain::id::{GrantId, LeaseId, PersonId, TypedId};
use wane_domain::lease::{artifact_name, lease_of_artifact};
use wane_domain::time::Time;

proptest! {
    #[test]
    fn ids_round_trip_and_have_one_spelling(millis in 0..4_000_000_000_000i64, entropy in any::<[u8; 10]>()) {
        let id = GrantId::mint(Time::from_micros(millis * 1_000), &entropy);
        let text = id.to_string();
        prop_assert_eq!(text.len(), 30);
        prop_assert_eq!(text.parse::<GrantId>().unwrap(), id);
        prop_assert_eq!(serde_json::from_str::<GrantId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        prop_assert!(text.parse::<LeaseId>().is_err(), "an id of another type was taken");
        let suffix = id.suffix();
        for other in [text.to_uppercase(), format!("grt_{}", suffix.to_uppercase()), format!(" {text}"), format!("{text}="), suffix] {
            if other != text {
                prop_assert!(other.parse::<GrantId>().is_err(), "`{}` is a second spelling of `{}`", other, text);
            }
        }
    }

    #[test]
    fn the_order_of_ids_is_the_order_of_time(a in 0..4_000_000_000_000i64, b in 0..4_000_000_000_000i64, x in any::<[u8; 10]>(), y in any::<[u8; 10]>()) {
        let (first, second) = (PersonId::mint(Time::from_micros(a * 1_000), &x), PersonId::mint(Time::from_micros(b * 1_000), &y));
        if a != b {
            prop_assert_eq!(a < b, first < second);
            prop_assert_eq!(a < b, first.to_string() < second.to_string());
        }
    }

    #[test]
    fn an_artifact_name_is_short_plain_and_leads_back(millis in 0..4_000_000_000_000i64, entropy in any::<[u8; 10]>()) {
        let lease = LeaseId::mint(Time::from_micros(millis * 1_000), &entropy);
        let name = artifact_name(lease);
        prop_assert!(name.len() <= 32 && name.starts_with("wane_"));
        prop_assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_'));
        prop_assert_eq!(lease_of_artifact(&name), Some(lease));
        prop_assert_eq!(lease_of_artifact(&name.to_uppercase()), None);
        prop_assert_eq!(lease_of_artifact(&format!("{name}x")), None);
    }

    #[test]
    fn no_text_is_an_id_by_accident(text in "(grt_)?[0-9a-zA-Z_=-]{0,30}") {
        if let Ok(id) = text.parse::<GrantId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}
