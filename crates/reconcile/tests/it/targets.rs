//! A real database that is away for days, or comes and goes.

use wane_app::AppError;
use wane_domain::ambient::Clock as _;
use wane_domain::time::Span;
use wane_runtime::SystemClock;
use wane_testkit::{FakeClock, Proxy, Way};

use crate::house::House;
use crate::running::{SOON, run, run_patiently, until};
use crate::shop::Shop;

const RARELY: Span = Span::from_hours(1_000);
/// Longer than any deployment's, so that three days are some hundred tries. That thirty seconds are
/// the longest wait unless told is held by `the_wait_is_capped` and `an_end_is_tried_at_most_so_rarely`.
const CAP: Span = Span::from_mins(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_away_for_days_is_tried_all_the_time_and_ended_when_it_is_back() {
    // The account's last moment is judged by the database's own clock, so this one begins there; a few
    // minutes later, because the database's certificate is yet to be made.
    let clock = FakeClock::at(SystemClock::new().now().plus(Span::from_mins(5)));
    let mut shop = Shop::of(House::ticking(clock, None).await, CAP).await;
    shop.register().await;
    let id = shop.works("ann", "SELECT 1").await;
    let house = &shop.house;
    shop.postgres.stop().unwrap();
    house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    let _engine = run_patiently(house, RARELY, CAP);

    let begun = house.clock.advance(Span::ZERO);
    let back = begun.plus(Span::from_hours(72));
    let mut attempts = 0;
    while house.app.now() < back {
        let tried = async || {
            let tried = house.leases(id).await[0].debt.attempts > attempts;
            if !tried {
                // The last wait may have begun after this clock was set on: then it is waited out.
                house.advance(Span::from_mins(1));
                house.app.give_back(&house.caller("ann").await, id).await.unwrap();
            }
            tried
        };
        wane_testkit::eventually("another try", SOON, tried).await.unwrap();
        // Visible all the time: whose it is, what it met, since when it is owed.
        let debts = house.app.debts(&house.caller("root").await).await.unwrap();
        assert_eq!((debts.len(), debts[0].lease.grant, debts[0].since), (1, id, begun));
        let debt = &debts[0].lease.debt;
        assert!(debt.last.as_ref().is_some_and(|met| met.contains("refused")), "{debt:?}");
        assert_eq!(house.grant(id).await.state.name(), "ending");
        attempts = debt.attempts;
        let next = debt.next.unwrap();
        assert!(next <= house.app.now().plus(CAP), "{next}");
        house.clock.set(next);
        // Said again, only to wake the engine: it sleeps by another clock than this one.
        house.app.give_back(&house.caller("ann").await, id).await.unwrap();
    }
    // No wait was longer than `CAP`, as was seen above. But this clock goes on while a try is under way, and a
    // wait that began after it was set on is waited out as well: the slower the machine, the fewer tries in
    // its three days.
    assert!(attempts >= 24, "{attempts} tries");

    shop.postgres.start().unwrap();
    let ended = async || {
        // A try may have met a server that was only starting, and its wait begin now.
        shop.house.advance(Span::from_mins(1));
        shop.house.grant(id).await.state.name() == "closed"
    };
    wane_testkit::eventually("the end at the target that is back", SOON, ended).await.unwrap();
    let roles = r"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wane\_%' AND rolcanlogin";
    assert_eq!(shop.postgres.psql("shop", roles).unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_comes_and_goes_ends_with_nothing_left() {
    let shop = Shop::new().await;
    let proxy = Proxy::to(shop.postgres.port()).unwrap();
    shop.register_at(proxy.port()).await;
    let house = &shop.house;
    let _engine = run(house, RARELY);
    let ways = [Way::Reset, Way::Open, Way::CutAfter(2_500), Way::Open, Way::CutAfter(4_000)];
    let mut grants = Vec::new();
    let mut made = 0;
    for (turn, way) in ways.into_iter().cycle().take(20).enumerate() {
        let who = ["ann", "ben", "mia", "dan"][turn % 4];
        let id = house.hold(who, "shop", "readonly", 1).await;
        proxy.set(way);
        match house.hand_out(who, id).await {
            Ok(_) => made += 1,
            Err(AppError::Target(_)) => assert_ne!(way, Way::Open),
            Err(other) => panic!("{way:?}: {other}"),
        }
        house.app.give_back(&house.caller(who).await, id).await.unwrap();
        grants.push(id);
    }
    proxy.set(Way::Open);
    for id in grants {
        until(house, id, "closed").await;
    }
    assert!(made >= 8, "{made}");
    let roles = r"SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wane\_%' AND rolname <> 'wane_left_behind'";
    assert_eq!(shop.postgres.psql("shop", roles).unwrap(), "0");
    let root = house.caller("root").await;
    assert!(house.app.debts(&root).await.unwrap().is_empty());
}
