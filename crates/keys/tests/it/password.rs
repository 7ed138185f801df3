//! Passwords: right, wrong, absent, and what each costs.
#![expect(clippy::unwrap_used, reason = "tests")]

use wane_domain::secret::Secret;
use wane_keys::password::{Cost, Hasher, MOST_PASSWORD, PasswordError, Verdict};

use crate::ambient;

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn weak() -> Hasher {
    Hasher::new(Cost::WeakForTests, &ambient(1)).unwrap()
}

#[test]
fn the_right_password_and_no_other() {
    let hasher = weak();
    let stored = hasher.hash(&secret("canary-password"), &ambient(2)).unwrap();
    let check =
        |given: &str, expected: Verdict| assert_eq!(hasher.verify(&secret(given), &stored), Ok(expected), "{given}");
    check("canary-password", Verdict::Right);
    for wrong in ["", "canary-passwor", "canary-password ", "Canary-password", "canary-password\0", &"x".repeat(5000)] {
        check(wrong, Verdict::Wrong);
    }
    assert!(!stored.contains("canary"));
    assert!(Verdict::Right.is_right() && Verdict::RightButWeak.is_right() && !Verdict::Wrong.is_right());
}

#[test]
fn the_standard_cost_is_the_promised_one() {
    let hasher = Hasher::new(Cost::Standard, &ambient(1)).unwrap();
    let stored = hasher.hash(&secret("p"), &ambient(2)).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{stored}");
    let cheap = weak().hash(&secret("p"), &ambient(2)).unwrap();
    assert_eq!(hasher.verify(&secret("p"), &cheap), Ok(Verdict::RightButWeak));
    assert_eq!(hasher.verify(&secret("q"), &cheap), Ok(Verdict::Wrong));
}

#[test]
fn equal_passwords_have_different_hashes() {
    let (hasher, ambient) = (weak(), ambient(2));
    assert_ne!(hasher.hash(&secret("p"), &ambient), hasher.hash(&secret("p"), &ambient));
}

#[test]
fn lengths_are_bounded() {
    let (hasher, ambient) = (weak(), ambient(2));
    let longest = "x".repeat(MOST_PASSWORD);
    assert_eq!(hasher.hash(&secret(""), &ambient), Err(PasswordError::Empty));
    assert_eq!(hasher.hash(&secret(&format!("{longest}x")), &ambient), Err(PasswordError::TooLong));
    let stored = hasher.hash(&secret(&longest), &ambient).unwrap();
    assert_eq!(hasher.verify(&secret(&longest), &stored), Ok(Verdict::Right));
    // Cutting a longer one to the bound must not make it right.
    assert_eq!(hasher.verify(&secret(&format!("{longest}x")), &stored), Ok(Verdict::Wrong));
}

#[test]
fn what_is_no_hash_of_ours_is_an_error() {
    let hasher = weak();
    let good = hasher.hash(&secret("p"), &ambient(2)).unwrap();
    for bad in [
        String::new(),
        "plain".to_owned(),
        good.replace("argon2id", "argon2i"),
        good.replace("m=64", "m=4000000000"),
        good.replace("m=64", "m=1048576"),
        good.replace("m=64", "m=262145"),
        good.replace("t=1", "t=9"),
        good.replace("m=64,t=1,p=1", "m=64,t=1,p=5"),
        good.replace("t=1", "t=4000"),
        good.rsplit_once('$').unwrap().0.to_owned(),
        "$argon2id$v=19$m=64,t=1,p=1".to_owned(),
    ] {
        assert_eq!(hasher.verify(&secret("p"), &bad), Err(PasswordError::Unreadable), "{bad}");
    }
}

/// Processor time of this thread so far, in nanoseconds: unlike the clock on the wall, it does not
/// mind what else the machine does.
fn spent() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse().unwrap()
}

/// The least that each of these costs, in turns: whatever else the machine does only adds to it, now to one and now to
/// another.
fn costs<const N: usize>(acts: [&dyn Fn(); N]) -> [u64; N] {
    let mut least = [u64::MAX; N];
    for _ in 0..5 {
        for (least, act) in least.iter_mut().zip(acts) {
            let before = spent();
            act();
            *least = (*least).min(spent() - before);
        }
    }
    least
}

#[test]
fn absent_people_cost_as_much() {
    let hasher = Hasher::new(Cost::Standard, &ambient(1)).unwrap();
    let stored = hasher.hash(&secret("right"), &ambient(2)).unwrap();
    let [right, others @ ..] = costs([
        &|| assert_eq!(hasher.verify(&secret("right"), &stored), Ok(Verdict::Right)),
        &|| assert_eq!(hasher.verify(&secret("wrong"), &stored), Ok(Verdict::Wrong)),
        &|| assert_eq!(hasher.verify(&secret(&"x".repeat(5000)), &stored), Ok(Verdict::Wrong)),
        &|| assert_eq!(hasher.verify_absent(&secret("right")), Verdict::Wrong),
        &|| assert!(hasher.verify(&secret("right"), "gone").is_err()),
    ]);
    for (what, spent) in ["wrong", "too long", "absent", "unreadable"].into_iter().zip(others) {
        assert!(spent > right / 2 && spent < right * 2, "{what}: {spent} ns against {right} ns");
    }
}

#[test]
fn debug_shows_no_hash() {
    assert_eq!(format!("{:?}", weak()), "Hasher { cost: WeakForTests, .. }");
}
