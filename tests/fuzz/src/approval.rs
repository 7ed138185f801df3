//! Signed approvals: of all texts and signatures, what is taken is over the statement that was signed.

use std::sync::LazyLock;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};
use wane_approval::{Counter, NAMESPACE, ssh_key, verify};
use wane_domain::approval::{KeyMaterial, Signature, Signed, Statement};

pub(crate) mod seeds {
    //! Inputs that get somewhere.

    use super::{SIGNED, signed_by};
    use wane_domain::approval::Signature;

    pub(crate) fn approval() -> Vec<Vec<u8>> {
        let text = SIGNED.statement.clone();
        let narrowed = text.replace("\"nonce\"", &format!("\"narrowed\":\"{}\",\"nonce\"", "cd".repeat(32)));
        let with = |text: &str, of: &Signature| match of {
            Signature::Ssh(armored) => format!("{text}\0{armored}").into_bytes(),
            Signature::Passkey(answer) => format!("{text}\0{answer}").into_bytes(),
        };
        vec![
            with(&text, &SIGNED.signature),
            with(&narrowed, &SIGNED.signature),
            with(&text, &signed_by(8, &text, "file").signature),
            with(&text, &Signature::Passkey(serde_json::json!({ "id": "", "rawId": "", "type": "public-key" }))),
            b"wane.approval.v1\n{}\0".to_vec(),
        ]
    }
}

static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let ab = "ab".repeat(32);
    let text = format!(
        "wane.approval.v1\n{{\"approver\":\"per_0000000000000000000000000o\",\"at\":1795000000000000,\"decision\":\"approve\",\"key\":\"apk_00000000000000000000000010\",\"nonce\":\"00112233445566778899aabbccddeeff\",\"org\":\"org_0000000000000000000000000g\",\"request\":\"{ab}\",\"seats\":[{{\"item\":0,\"stage\":1}}]}}"
    );
    signed_by(7, &text, NAMESPACE)
});

fn signed_by(seed: u8, text: &str, namespace: &str) -> Signed {
    let key = PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap();
    let signature = SshSig::sign(&key, namespace, HashAlg::Sha512, text.as_bytes()).unwrap();
    Signed {
        statement: text.to_owned(),
        key: ssh_key(&key.public_key().to_openssh().unwrap()).unwrap(),
        signature: Signature::Ssh(signature.to_pem(LineEnding::LF).unwrap()),
    }
}

pub(crate) fn approval(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (statement, signature) = text.split_once('\0').unwrap_or((&text, ""));
    if let Ok(said) = Statement::read(statement) {
        assert_eq!(said.text().unwrap(), statement, "a second spelling was read");
    }
    let ours: &KeyMaterial = &SIGNED.key;
    let mut shown = vec![Signature::Ssh(signature.to_owned())];
    shown.extend(serde_json::from_str(signature).ok().map(Signature::Passkey));
    for signature in shown {
        let signed = Signed { statement: statement.to_owned(), key: ours.clone(), signature };
        match verify(&signed, ours, Counter::Moves) {
            Ok(good) => {
                assert_eq!(statement, SIGNED.statement, "what was not signed was taken");
                assert!(matches!(signed.signature, Signature::Ssh(_)));
                assert_eq!(good.key, *ours);
            }
            Err(_) => assert!(signed != *SIGNED, "what was signed was not taken"),
        }
    }
    // A line that is taken for a key is read again as itself.
    if let Ok(KeyMaterial::Ssh(line)) = ssh_key(statement) {
        assert_eq!(ssh_key(&line), Ok(KeyMaterial::Ssh(line)));
    }
}
