//! The conformance kit: one suite that every adapter of the port passes.
//!
//! Owns: what the words of the port mean, as checks. Refuses to know: any adapter, any runtime; it
//! makes its stores through a function it is given and never sleeps.

mod acme;
mod deliveries;
mod directories;
mod fixture;
mod inventories;
mod jobs;
mod lifecycle;
mod listing;
mod recordings;
mod trail;
mod world;
mod writing;

pub use fixture::Fixture;

use wane_domain::id::{EventId, OrgId};
use wane_domain::world::PolicyVersion;

use crate::port::Store;

/// What a fresh store is made with.
#[derive(Clone, Debug)]
pub struct Founded {
    /// The organisation.
    pub org: OrgId,
    /// The first policy, of version 1.
    pub policy: PolicyVersion,
    /// An id for the first record, for stores that write one.
    pub event: EventId,
}

/// Runs every check, each against a fresh store.
///
/// # Errors
/// Which check failed, and how.
pub async fn run<S: Store>(make: impl AsyncFn(Founded) -> Result<S, String>) -> Result<(), String> {
    macro_rules! checks {
        ($($check:path),* $(,)?) => {$({
            let mut fixture = Fixture::new();
            let store = make(fixture.founded()).await?;
            $check(&store, &mut fixture).await.map_err(|e| format!("{}: {e}", stringify!($check)))?;
        })*};
    }
    checks![
        world::starts_as_it_was_founded,
        world::everything_comes_back,
        world::each_change_raises_the_epoch_once,
        world::a_snapshot_stays_what_it_was,
        world::lifted_locks_leave,
        world::names_are_taken_once,
        world::what_is_in_use_stays,
        world::policies_count_up,
        world::every_policy_is_kept,
        deliveries::they_are_entered_once_and_found_when_due,
        deliveries::how_far_was_read_moves_from_where_it_was,
        lifecycle::everything_comes_back,
        lifecycle::what_is_due_comes_in_order,
        lifecycle::revoked_is_what_would_still_work,
        lifecycle::one_issue_is_revoked_by_itself,
        lifecycle::a_use_is_made_once,
        lifecycle::serials_never_repeat,
        lifecycle::tokens_answers_and_secrets,
        directories::entries_are_found_and_guarded,
        inventories::a_day_keeps_one_of_each_resource,
        jobs::one_token_begins_one_job,
        acme::an_account_has_a_key_of_its_own_and_goes_after_its_grant,
        writing::one_of_two_wins,
        writing::a_guard_holds_and_writes_nothing,
        writing::all_or_nothing,
        writing::a_conflict_harms_nobody_else,
        writing::decisions_hold_at_their_epoch_only,
        listing::pages_have_no_gap_and_no_repeat,
        listing::filters_mean_what_they_say,
        recordings::they_are_put_ended_and_found,
        trail::records_keep_their_order,
        trail::filters_mean_what_they_say,
        trail::a_waiter_wakes,
    ];
    Ok(())
}

/// Fails a check unless two things are equal.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, want: &T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("{what}: got {got:?}, not {want:?}")) }
}

/// Fails a check unless something holds.
pub(crate) fn holds(what: &str, so: impl Into<Option<()>>) -> Result<(), String> {
    so.into().ok_or_else(|| what.to_owned())
}
