//! More time for what people have to sign for: it is signed for as the first was.

use wane_domain::grant::GrantState;
use wane_domain::issue::Authority;
use wane_domain::request::{Approval, Ask, AskItem, Parent};
use wane_domain::time::Span;
use wane_testkit::Held;

use super::office::Office;

/// More time for this grant, asked by its holder.
fn more(office: &Office, held: &Held, time: Span) -> Ask {
    let parent = Parent::Extends { digest: held.grant.digest, grant: held.grant.id };
    let nonce = format!("{:032x}", office.ambient.now().micros());
    Ask {
        duration: time,
        parent: Some(parent),
        nonce,
        requester: held.grant.holder,
        beneficiary: held.grant.holder,
        ..office.ask()
    }
}

/// The server says that it lasts so long from its beginning.
fn lasts(held: &mut Held, long: Span) {
    let (mut grant, mut lease) = ((*held.grant).clone(), (*held.lease).clone());
    let end = grant.at.plus(long);
    grant.state = GrantState::Active { since: grant.at, end };
    lease.end = end;
    (held.grant, held.lease) = (wane_domain::stored::grant(grant), wane_domain::stored::lease(lease));
}

fn signed(office: &Office, ask: &Ask, who: &[usize]) -> Vec<Approval> {
    office.authority(ask, who).approvals
}

/// With these extensions and what was signed for them.
fn with(first: &Authority, extensions: &[(&Ask, Vec<Approval>)]) -> Authority {
    let mut whole = first.clone();
    for (ask, approvals) in extensions {
        whole.extensions.push((*ask).clone());
        whole.approvals.extend(approvals.iter().cloned());
    }
    whole
}

#[test]
fn more_time_is_signed_for_as_the_first_was() {
    let mut office = Office::open(2);
    let ask = office.ask();
    let (mut held, first) = (office.grant(&ask), office.authority(&ask, &[0, 1]));
    office.issue(&held, &office.role, Some(first.clone())).unwrap();
    office.clock.advance(Span::from_mins(20));
    let half = Span::from_mins(30);
    let longer = more(&office, &held, half);
    let both = signed(&office, &longer, &[0, 2]);
    lasts(&mut held, Span::from_mins(90));

    let other = office.grant(&office.ask());
    let elsewhere = Ask { parent: more(&office, &other, half).parent, ..longer.clone() };
    let another =
        Ask { items: vec![AskItem { resource: office.ambient.id(), ..ask.items[0].clone() }], ..longer.clone() };
    let somebodys = Ask { beneficiary: office.ambient.id(), ..longer.clone() };
    let approvers = Ask { requester: office.approvers[0].0, ..longer.clone() };
    let no_parent = Ask { parent: None, ..longer.clone() };
    for (what, ask, approvals) in [
        ("nobody signed for more", &longer, Vec::new()),
        ("one of two signed for more", &longer, signed(&office, &longer, &[2])),
        ("the same one twice", &longer, signed(&office, &longer, &[2, 2])),
        ("what was signed for the first", &longer, first.approvals.clone()),
        ("what was signed for less", &longer, signed(&office, &more(&office, &held, Span::from_mins(1)), &[0, 2])),
        ("more for another grant", &elsewhere, signed(&office, &elsewhere, &[0, 2])),
        ("more for another host", &another, signed(&office, &another, &[0, 2])),
        ("more for somebody else", &somebodys, signed(&office, &somebodys, &[0, 2])),
        ("more that an approver asked for", &approvers, signed(&office, &approvers, &[0, 2])),
        ("a request of its own", &no_parent, signed(&office, &no_parent, &[0, 2])),
    ] {
        let refused = office.refused(what, &held, &office.role, Some(with(&first, &[(ask, approvals)])));
        assert!(refused.contains("longer than was signed"), "{what}: {refused}");
    }
    // Signed for once is so much more once.
    lasts(&mut held, Span::from_mins(120));
    let twice = with(&first, &[(&longer, both.clone()), (&longer, both.clone())]);
    office.refused("the same more twice", &held, &office.role, Some(twice));
    // Nor beyond the most.
    let much = more(&office, &held, Span::from_mins(61));
    lasts(&mut held, Span::from_mins(121));
    let beyond = with(&first, &[(&much, signed(&office, &much, &[0, 2]))]);
    office.refused("beyond the most", &held, &office.role, Some(beyond));

    // As it was signed, also past the first end and after the process died; and once more up to the most.
    lasts(&mut held, Span::from_mins(90));
    let longer = with(&first, &[(&longer, both)]);
    office.issue(&held, &office.role, Some(longer.clone())).unwrap();
    office.clock.advance(Span::from_mins(55));
    office.reopen();
    office.issue(&held, &office.role, Some(longer.clone())).unwrap();
    let last = more(&office, &held, half);
    let last = with(&longer, &[(&last, signed(&office, &last, &[1, 2]))]);
    lasts(&mut held, Span::from_mins(120));
    office.issue(&held, &office.role, Some(last.clone())).unwrap();
    // It is over when that is, whatever the server says.
    office.clock.advance(Span::from_mins(60));
    lasts(&mut held, Span::from_mins(180));
    office.refused("when it was over", &held, &office.role, Some(last));
}

#[test]
fn more_time_is_signed_for_while_it_runs() {
    let office = Office::open(1);
    let ask = office.ask();
    let (mut held, first) = (office.grant(&ask), office.authority(&ask, &[0]));
    office.issue(&held, &office.role, Some(first.clone())).unwrap();
    office.clock.advance(Span::from_mins(66));
    let longer = more(&office, &held, Span::from_mins(30));
    let late = with(&first, &[(&longer, signed(&office, &longer, &[1]))]);
    lasts(&mut held, Span::from_mins(90));
    office.refused("signed when it was over", &held, &office.role, Some(late));
}
