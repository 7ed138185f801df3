//! How often keys are looked up again for tokens whose key is not known: anybody can send such tokens.

use wane_domain::time::{Span, Time};

/// They are looked up at most so often in a row …
const FREE: u64 = 6;
/// … and each look is forgiven after so long.
const FORGIVEN: Span = Span::from_secs(10);

/// When all looks will be forgiven.
#[derive(Debug, Default)]
pub(crate) struct Looks(Option<Time>);

impl Looks {
    /// Whether to look once more; if so, that counts.
    pub(crate) fn may(&mut self, now: Time) -> bool {
        let after = self.0.unwrap_or(now).max(now).plus(FORGIVEN);
        let may = after <= now.plus(Span::from_secs(FREE.saturating_mul(FORGIVEN.secs())));
        if may {
            self.0 = Some(after);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_for_unknown_keys_has_a_bound() {
        let (mut all, now) = (Looks::default(), Time::from_micros(1_000_000_000));
        let looks = (0..100).filter(|_| all.may(now)).count();
        assert_eq!(u64::try_from(looks).unwrap(), FREE);
        assert!(all.may(now.plus(FORGIVEN)) && !all.may(now.plus(FORGIVEN)));
    }
}
