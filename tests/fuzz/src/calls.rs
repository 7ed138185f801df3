//! What is said to a signer over a line: one reply to whatever it is, and no more is read than may be.

use std::sync::LazyLock;

use wane_domain::id::OrgId;
use wane_domain::secret::Secret;
use wane_keys::desk::Desk;
use wane_keys::desk::frame::{HEAD, Head, VERSION, frame};
use wane_keys::desk::message::{Call, LONGEST_FRAME, Reply};
use wane_keys::desk::root::RootFile;
use wane_keys::envelope::Keyring;
use wane_keys::seal::{Seal, SealName};
use wane_keys::signer::LocalSigner;
use wane_kind_ssh::{HOST_CA, USER_CA, USER_CERTIFICATES, check_user_certificate};

use crate::access::ambient;

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use wane_keys::desk::frame::frame;
    use wane_keys::desk::message::{Bytes, Call};
    use wane_kind_ssh::{HOST_CA, USER_CA};

    pub(crate) fn signer_call() -> Vec<Vec<u8>> {
        let calls = [
            Call::Show,
            Call::PublicKey { purpose: USER_CA.to_owned() },
            Call::Publish { purpose: USER_CA.to_owned(), what: "host".to_owned(), message: Bytes(vec![1, 2, 3]) },
            Call::Publish { purpose: HOST_CA.to_owned(), what: "host".to_owned(), message: Bytes(vec![1, 2, 3]) },
            Call::Ended { grant: crate::access::ambient().id() },
        ];
        let framed = |call: &Call| frame(7, 5000, &serde_json::to_vec(call).unwrap()).unwrap();
        calls.iter().map(framed).collect()
    }
}

static DESK: LazyLock<Desk> = LazyLock::new(|| {
    let ambient = ambient();
    let folder = tempfile::tempdir().unwrap().keep();
    let seal = Seal::open_machine(SealName::Signing, &folder.join("k/signing"), &ambient).unwrap();
    let org: OrgId = ambient.id();
    let (ring, _) = Keyring::create(&seal, org, &ambient).unwrap();
    let keys = [USER_CA, HOST_CA].map(|purpose| (purpose, Secret::new(vec![3; 32])));
    let keys = LocalSigner::new(keys.into(), vec![(USER_CA, check_user_certificate)]).unwrap();
    let file = RootFile::at(folder.join("signer.root"), ring);
    Desk::open(org, keys, vec![(USER_CA, USER_CERTIFICATES)], file, ambient)
});

pub(crate) fn signer_call(data: &[u8]) {
    let body = match data.split_first_chunk::<HEAD>() {
        Some((bytes, rest)) => match Head::read(bytes) {
            Ok(head) => {
                let length = usize::try_from(head.length).unwrap();
                assert!(length <= LONGEST_FRAME && bytes[0] == VERSION);
                let body = &rest[..length.min(rest.len())];
                if body.len() == length {
                    assert_eq!(frame(head.id, head.within_ms, body).unwrap(), data[..HEAD + length]);
                }
                body
            }
            Err(_) => rest,
        },
        None => data,
    };
    let reply: Reply = serde_json::from_slice(&DESK.answer(body)).unwrap();
    match serde_json::from_slice::<Call>(body) {
        Err(_) => assert!(matches!(reply, Reply::Refused(_)), "{reply:?}"),
        Ok(call) => {
            let again = serde_json::to_vec(&call).unwrap();
            assert_eq!(serde_json::from_slice::<Call>(&again).unwrap(), call);
            match (&call, &reply) {
                (_, Reply::Refused(_))
                | (Call::PublicKey { .. }, Reply::Key(_))
                | (Call::Ended { .. }, Reply::Done)
                | (Call::Show, Reply::Shown(_)) => {}
                (Call::Publish { purpose, .. }, Reply::Signature(_)) => assert_eq!(purpose, HOST_CA),
                _ => panic!("{call:?}: {reply:?}"),
            }
        }
    }
}
