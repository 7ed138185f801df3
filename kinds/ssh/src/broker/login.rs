//! Who logs in as what: the name they give, the certificate they prove to hold.
//!
//! INVARIANT: only a user certificate of this server's own authority opens anything, and only while it is
//! valid (held by `a_certificate_is_checked_in_every_field`). Which grant it stands for, and whether that
//! lives, the gateway asks those who know.

use std::net::IpAddr;

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, HashAlg};
use wane_connector::broker::Invitation;
use wane_domain::id::GrantId;
use wane_domain::text::Name;
use wane_domain::time::Time;

use super::jump::Wants;
use super::pass::comes_from;
use crate::certificate::seconds;
use crate::role::{FORCE_COMMAND, SOURCE_ADDRESS, is_principal};

/// `deploy%web-1`: this login name at that resource. `deploy@web-1` means the same: newer programs take `%`
/// among their settings for something of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) login: String,
    pub(crate) resource: Name,
}

impl Wanted {
    /// Reads a user name as it was sent.
    pub(crate) fn read(user: &str) -> Option<Self> {
        let (login, resource) = user.split_once(['%', '@'])?;
        let resource = resource.parse().ok()?;
        is_principal(login).then(|| Self { login: login.to_owned(), resource })
    }
}

/// The grant that a proven certificate was issued under.
pub(crate) fn grant_of(cert: &Certificate, user_ca: &KeyData, now: Time) -> Result<GrantId, String> {
    let refuse = |why: &str| Err(why.to_owned());
    if cert.cert_type() != CertType::User {
        return refuse("the certificate is not a user's");
    }
    if cert.signature_key() != user_ca {
        return refuse("the certificate is by another authority");
    }
    if cert.validate_at(seconds(now), &[user_ca.fingerprint(HashAlg::Sha256)]).is_err() {
        return refuse("the certificate has run out or is not valid yet");
    }
    if cert.valid_principals().is_empty() {
        return refuse("the certificate is for nobody");
    }
    let known = |name: &str| [FORCE_COMMAND, SOURCE_ADDRESS].contains(&name);
    if let Some(odd) = cert.critical_options().keys().find(|name| !known(name)) {
        return Err(format!("the certificate has a condition that nobody here knows: {odd:?}"));
    }
    cert.key_id().parse().map_err(|_| "the certificate names no grant".to_owned())
}

/// Whether a certificate is good from this address. Where it opens a session, that is looked at with all else.
pub(super) fn comes_from_where_it_may(cert: &Certificate, peer: IpAddr) -> Result<(), String> {
    let ranges = cert.critical_options().get(SOURCE_ADDRESS).map(String::as_str);
    if comes_from(peer, ranges) { Ok(()) } else { Err(format!("this certificate may not be used from {peer}")) }
}

/// What somebody reads who may not come in.
pub(super) fn refusal(wants: Option<&Wants>, why: Option<&str>) -> String {
    // Nothing of what was sent is shown unless it was understood: it ends up on a terminal.
    let command = match wants {
        None => "Log in as LOGIN%RESOURCE, such as deploy%web-1.".to_owned(),
        Some(Wants::Session(wanted)) => format!("To ask for access:\n\n    wane request {}\n", wanted.resource),
        Some(Wants::Passage) => "Log in as LOGIN%RESOURCE, or name this gateway to `ssh -J`.".to_owned(),
    };
    let why = why.unwrap_or("log in with a certificate of a live grant");
    format!("Wane: {why}.\n\n{command}\n")
}

/// How somebody without a credential comes in.
pub(super) fn invitation(wants: &Wants, why: Option<&str>, invitation: &Invitation, now: Time) -> String {
    let why = why.map(|why| format!("{why}.\n")).unwrap_or_default();
    let what = match wants {
        Wants::Session(Wanted { login, resource }) => format!("log in to {resource} as {login}"),
        Wants::Passage => "go on to hosts through this gateway".to_owned(),
    };
    let Invitation { link, code, until } = invitation;
    format!(
        "Wane: {why}To {what}, open\n\n    {link}\n\nwithin {}, sign in there, and enter the code\n\n    {code}\n\nNobody but you needs this code.\n",
        until.since(now)
    )
}

/// What somebody reads while their login goes on.
pub(crate) fn word(text: &str) -> String {
    // It ends up on a terminal, and reasons in it are other people's words.
    let plain: String = text.chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect();
    format!("Wane: {plain}\n")
}

#[cfg(test)]
mod tests {
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::certificate::Builder;
    use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

    use super::super::jump::Place;
    use super::*;

    #[test]
    fn a_user_name_is_a_login_and_a_resource() {
        for (user, login, resource) in [
            ("deploy%web-1", "deploy", "web-1"),
            ("_x%db", "_x", "db"),
            ("a%web.example", "a", "web.example"),
            ("a@web", "a", "web"),
        ] {
            let wanted = Wanted::read(user).unwrap();
            assert_eq!((wanted.login.as_str(), wanted.resource.as_str()), (login, resource));
        }
        for bad in [
            "",
            "%",
            "deploy",
            "deploy%",
            "%web",
            "Deploy%web",
            "a b%web",
            "a%web\n",
            "a%b%c",
            "a%b@c",
            "a@b%c",
            "a%\u{1b}[2J",
        ] {
            assert_eq!(Wanted::read(bad), None, "{bad:?}");
        }
    }

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
    }

    const GRANT: &str = "grt_06h03h0ak1o6p6vrvu8gip4hlo";

    /// A certificate that differs from a good one in what `change` does.
    fn certified(ca: &PrivateKey, kind: CertType, change: impl FnOnce(&mut Builder)) -> Certificate {
        let mut builder = Builder::new([1; 16], key(1).public_key().key_data().clone(), 100, 200).unwrap();
        builder.cert_type(kind).unwrap();
        builder.key_id(GRANT).unwrap();
        builder.valid_principal("deploy@res_x").unwrap();
        change(&mut builder);
        builder.sign(ca).unwrap()
    }

    #[test]
    fn a_certificate_is_checked_in_every_field() {
        let ca = key(9);
        let at = |secs: i64| Time::from_micros(secs * 1_000_000);
        let judge = |cert: &Certificate, secs| grant_of(cert, ca.public_key().key_data(), at(secs));
        let user = CertType::User;
        let good = certified(&ca, user, |_| ());
        assert_eq!(judge(&good, 150).unwrap().to_string(), GRANT);
        assert_eq!(judge(&good, 100).unwrap().to_string(), GRANT);
        for (cert, secs, why) in [
            (good.clone(), 99, "not valid yet"),
            (good, 200, "has run out"),
            (certified(&key(8), user, |_| ()), 150, "another authority"),
            (certified(&ca, CertType::Host, |_| ()), 150, "not a user's"),
            (
                certified(&ca, user, |b| {
                    b.critical_option("verify-required", "").unwrap();
                }),
                150,
                "nobody here knows",
            ),
        ] {
            assert!(judge(&cert, secs).unwrap_err().contains(why), "{why}");
        }
        let mut nobody = Builder::new([1; 16], key(1).public_key().key_data().clone(), 100, 200).unwrap();
        nobody.cert_type(CertType::User).unwrap().key_id(GRANT).unwrap().all_principals_valid().unwrap();
        assert!(judge(&nobody.sign(&ca).unwrap(), 150).unwrap_err().contains("for nobody"));
        let mut nameless = Builder::new([1; 16], key(1).public_key().key_data().clone(), 100, 200).unwrap();
        nameless.cert_type(CertType::User).unwrap().key_id("root").unwrap().valid_principal("a").unwrap();
        assert!(judge(&nameless.sign(&ca).unwrap(), 150).unwrap_err().contains("names no grant"));
    }

    #[test]
    fn nothing_that_moves_a_terminal_is_shown() {
        for user in ["\u{1b}[2J%web", "a%\u{7}", "deploy%web-1"] {
            let said = refusal(Place::Front.wants(user).as_ref(), None);
            assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
        }
        let wants = Place::Front.wants("deploy%web-1");
        assert!(refusal(wants.as_ref(), Some("your grant has ended")).contains("wane request web-1\n"));
    }
}
