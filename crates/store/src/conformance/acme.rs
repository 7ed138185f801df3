//! ACME clients: accounts and orders.

use serde_json::json;
use wane_domain::closure::EndCause;
use wane_domain::grant::GrantEvent;
use wane_domain::lease::Lease;
use wane_domain::time::Span;

use super::fixture::{Fixture, told};
use super::same;
use crate::acme::{AcmeAccount, AcmeIssued, AcmeKey, AcmeName, AcmeOrder, AcmeState};
use crate::commit::{Put, Seen, Write};
use crate::port::{Store, StoreError};
use crate::rows::Versioned;

fn account(f: &mut Fixture, lease: &Lease) -> AcmeAccount {
    AcmeAccount {
        id: f.id(),
        grant: lease.grant,
        person: lease.holder,
        at: f.now,
        proved: f.now,
        proof: "passkey".to_owned(),
        forget: f.now.plus(Span::from_hours(1)),
        state: AcmeState::Offered,
    }
}

fn order(f: &mut Fixture, account: &AcmeAccount, hours: u64) -> AcmeOrder {
    AcmeOrder {
        id: f.id(),
        account: account.id,
        at: f.now,
        expires: f.now.plus(Span::from_hours(1)),
        names: vec![AcmeName::Dns("shop.example".to_owned()), AcmeName::Ip([192, 0, 2, 7].into())],
        forget: f.now.plus(Span::from_hours(hours)),
        issued: None,
        replaces: (hours > 1).then(|| "aki.before".to_owned()),
    }
}

fn kept<T: Clone>(value: &T, generation: u64) -> Versioned<T> {
    Versioned { value: value.clone(), generation }
}

pub(crate) async fn an_account_has_a_key_of_its_own_and_goes_after_its_grant<S: Store>(
    s: &S,
    f: &mut Fixture,
) -> Result<(), String> {
    let (person, resource, role) = (f.id(), f.id(), f.id());
    let (request, grant, lease) = f.leased(person, resource, role)?;
    s.commit(f.commit(Fixture::writes((&request, &grant, &lease)))?).await.map_err(told)?;
    let (one, other) = (account(f, &lease), account(f, &lease));
    let writes = [&one, &other].map(|account| Write::AcmeAccount(Put::new(account.clone())));
    s.commit(f.commit(writes.into())?).await.map_err(told)?;
    same("those under a grant", &s.acme_accounts(grant.id).await, &Ok(vec![kept(&one, 1), kept(&other, 1)]))?;
    let key = AcmeKey { thumbprint: "thumb".to_owned(), jwk: json!({ "kty": "OKP" }) };
    let taken = |account: &AcmeAccount, seen| {
        let value = AcmeAccount { state: AcmeState::Taken(key.clone()), ..account.clone() };
        Write::AcmeAccount(Put { value, seen })
    };
    s.commit(f.commit(vec![taken(&one, Seen::Generation(1))])?).await.map_err(told)?;
    match s.commit(f.commit(vec![taken(&one, Seen::Generation(1))])?).await {
        Err(StoreError::Conflict(_)) => {}
        done => return Err(format!("taking it twice gave {done:?}")),
    }
    match s.commit(f.commit(vec![taken(&other, Seen::Generation(1))])?).await {
        Err(StoreError::Refused(_)) => {}
        done => return Err(format!("two accounts of one key gave {done:?}")),
    }
    let one = AcmeAccount { state: AcmeState::Taken(key.clone()), ..one };
    same("by its key", &s.acme_account_with("thumb").await, &Ok(Some(kept(&one, 2))))?;
    same("by no key", &s.acme_account_with("none").await, &Ok(None))?;

    let (short, long) = (order(f, &one, 1), order(f, &one, 9));
    let writes = [&short, &long].map(|order| Write::AcmeOrder(Put::new(order.clone())));
    s.commit(f.commit(writes.into())?).await.map_err(told)?;
    same("orders", &s.acme_orders(one.id).await, &Ok(vec![kept(&short, 1), kept(&long, 1)]))?;
    let issued = AcmeIssued {
        lease: lease.id,
        serial: 7,
        certificate: "aki.serial".to_owned(),
        key: "its key".to_owned(),
        chain: "-----BEGIN".to_owned(),
        at: f.now,
        not_after: f.now.plus(Span::from_mins(15)),
    };
    let had = AcmeOrder { issued: Some(issued), ..long.clone() };
    let put = || Write::AcmeOrder(Put { value: had.clone(), seen: Seen::Generation(1) });
    s.commit(f.commit(vec![put()])?).await.map_err(told)?;
    match s.commit(f.commit(vec![put()])?).await {
        Err(StoreError::Conflict(_)) => {}
        done => return Err(format!("having it twice gave {done:?}")),
    }
    same("by its certificate", &s.acme_order_of("aki.serial").await, &Ok(Some(kept(&had, 2))))?;

    // Whatever the time, what a live grant has stays; then it goes, its orders with it.
    s.commit(f.commit(vec![Write::ForgetAcme(f.now.plus(Span::from_hours(2)))])?).await.map_err(told)?;
    same("an order whose time came", &s.acme_order(short.id).await, &Ok(None))?;
    same("one whose time did not", &s.acme_order(long.id).await, &Ok(Some(kept(&had, 2))))?;
    same("the account of a live grant", &s.acme_account(one.id).await, &Ok(Some(kept(&one, 2))))?;
    let seen = s.grant(grant.id).await.map_err(told)?.ok_or("the grant is gone")?;
    let (over, _) = seen.value.clone().apply(GrantEvent::End(EndCause::Returned), f.now).map_err(told)?;
    s.commit(f.commit(vec![Write::Grant(Put::over(&seen, over))])?).await.map_err(told)?;
    s.commit(f.commit(vec![Write::ForgetAcme(f.now)])?).await.map_err(told)?;
    same("before its time", &s.acme_account(one.id).await, &Ok(Some(kept(&one, 2))))?;
    s.commit(f.commit(vec![Write::ForgetAcme(one.forget)])?).await.map_err(told)?;
    same("forgotten", &s.acme_account(one.id).await, &Ok(None))?;
    same("with its orders", &s.acme_order(long.id).await, &Ok(None))
}
