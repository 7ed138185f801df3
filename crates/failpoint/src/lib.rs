//! Named places where a test may stop, delay or kill a debug build of Wane.
//!
//! Owns: the names' type, the plan that says what happens where, and doing it. Refuses to know: what
//! stands at a place. A release build has none of it: there every function here is empty.
//!
//! A place has a name of its own, given by [`point!`], so that the source can be searched for all of
//! them, and one name stands at one place only (`cargo xtask lint` checks both). An effect on the
//! outside world has a place [`around`] it, which is hit as `name:before` and as `name:after`.
//!
//! What happens is said by the environment, read once by [`arm`]:
//!
//! - `WANE_FAILPOINTS`: a plan, or `@FILE` for one that is read anew at each place, so that a test may
//!   change it while the program runs. A plan is a list such as
//!   `engine.try:before=kill;ask.commit:after=delay:500`. Behind `=` stands one of
//!   - `kill` — `SIGKILL` to this process; `kill@3` at the third hit only;
//!   - `delay:MS` — wait that many milliseconds at each hit; `delay:MS@2..` from the second on;
//!   - `hold:FILE` — make `FILE.reached`, then wait until `FILE` exists, but at most two minutes.
//! - `WANE_FAILPOINT_TRACE`: a file to which the name of every place that is hit is added, one a line.

#[cfg(debug_assertions)]
mod live;
#[cfg(debug_assertions)]
mod plan;
#[cfg(debug_assertions)]
use plan::Side;

/// The name of a place. Made by [`point!`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point(&'static str);

impl Point {
    /// For [`point!`], which is what makes names easy to find.
    #[doc(hidden)]
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Names a place: `point!("room.what.step")`, in lower case.
#[macro_export]
macro_rules! point {
    ($name:literal) => {
        $crate::Point::named($name)
    };
}

/// A plan that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not `place=action`.
    #[error("`{0}` is no failpoint: write `name:before=kill`, and `;` between two")]
    Shape(String),
    /// Not an action.
    #[error("`{0}` is no action of a failpoint: use `kill`, `kill@N`, `delay:MS`, `delay:MS@N..` or `hold:FILE`")]
    Action(String),
    /// The file of the plan.
    #[error("the plan of failpoints `{file}` cannot be read: {why}; make the file, empty at first")]
    File {
        /// Which.
        file: String,
        /// Why not.
        why: String,
    },
}

/// Reads from the environment what happens where. Until this is called nothing happens anywhere.
///
/// # Errors
/// In a debug build, when the plan cannot be understood.
pub fn arm() -> Result<(), PlanError> {
    #[cfg(debug_assertions)]
    live::arm()?;
    Ok(())
}

/// A place between two steps.
pub fn at(point: Point) -> impl Future<Output = ()> + Send {
    #[cfg(debug_assertions)]
    return live::hit(point, None);
    #[cfg(not(debug_assertions))]
    {
        let _ = point;
        std::future::ready(())
    }
}

/// An effect with a place before and after it.
pub fn around<F: Future>(point: Point, effect: F) -> impl Future<Output = F::Output> + use<F> {
    #[cfg(debug_assertions)]
    return async move {
        live::hit(point, Some(Side::Before)).await;
        let done = effect.await;
        live::hit(point, Some(Side::After)).await;
        done
    };
    #[cfg(not(debug_assertions))]
    {
        let _ = point;
        effect
    }
}

/// As [`around`], where nothing can be awaited. A delay blocks the thread.
pub fn around_call<T>(point: Point, effect: impl FnOnce() -> T) -> T {
    #[cfg(debug_assertions)]
    {
        live::hit_blocking(point, Some(Side::Before));
        let done = effect();
        live::hit_blocking(point, Some(Side::After));
        done
    }
    #[cfg(not(debug_assertions))]
    {
        let _ = point;
        effect()
    }
}
