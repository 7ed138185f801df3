//! Somebody who approves, with a key that OpenSSH made and signs with.

use std::fs;
use std::path::{Path, PathBuf};

use wane_domain::ambient::Ambient;
use wane_domain::approval::{KeyMaterial, Says, Seat, Signature, Signed, Statement};
use wane_domain::id::{ApproverKeyId, PersonId};
use wane_domain::request::{Approval, Ask};

use crate::ssh::ssh_keygen;

/// What signatures of approvals are in the name of (docs/approvals.md).
const NAMESPACE: &str = "wane-approval@wane";

/// An approver and their key.
#[derive(Clone, Debug)]
pub struct Approver {
    pub person: PersonId,
    pub key: ApproverKeyId,
    pub material: KeyMaterial,
    file: PathBuf,
}

impl Approver {
    /// With a new key, whose file is named so in this folder.
    ///
    /// # Panics
    ///
    /// When OpenSSH makes none.
    #[expect(clippy::unwrap_used, reason = "without OpenSSH there is no test")]
    pub fn new(folder: &Path, name: &str, ambient: &Ambient) -> Self {
        let file = folder.join(name);
        ssh_keygen(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &file.display().to_string()]).unwrap();
        let line = fs::read_to_string(file.with_extension("pub")).unwrap();
        let bare: Vec<&str> = line.split_whitespace().take(2).collect();
        let material = KeyMaterial::Ssh(bare.join(" "));
        Self { person: ambient.id(), key: ambient.id(), material, file }
    }

    /// What they would sign to approve the first item of what is asked, now.
    ///
    /// # Panics
    ///
    /// When what is asked has no digest.
    #[expect(clippy::unwrap_used, reason = "everything that is asked has a digest")]
    pub fn statement(&self, ask: &Ask, ambient: &Ambient) -> Statement {
        Statement {
            org: ask.org,
            request: ask.digest().unwrap(),
            narrowed: None,
            seats: vec![Seat { item: 0, stage: 0 }],
            decision: Says::Approve,
            approver: self.person,
            instead_of: None,
            key: self.key,
            at: ambient.now(),
            nonce: "11".repeat(16),
        }
    }

    /// An approval with their signature over what it says.
    ///
    /// # Panics
    ///
    /// When OpenSSH does not sign it.
    #[expect(clippy::unwrap_used, reason = "without a signature there is no test")]
    pub fn sign(&self, said: &Statement) -> Approval {
        let text = said.text().unwrap();
        let paper = self.file.with_extension("statement");
        let signature = self.file.with_extension("statement.sig");
        fs::write(&paper, &text).unwrap();
        let _ = fs::remove_file(&signature);
        let (key, paper) = (self.file.display().to_string(), paper.display().to_string());
        let done = ssh_keygen(["-q", "-Y", "sign", "-f", &key, "-n", NAMESPACE, &paper]).unwrap();
        let armored = fs::read_to_string(&signature).unwrap_or_else(|e| format!("{e}: {done:?}"));
        let signed = Signed { statement: text, key: self.material.clone(), signature: Signature::Ssh(armored) };
        approval_by(said, signed)
    }

    /// Their approval of the first item of what is asked, now.
    pub fn approve(&self, ask: &Ask, ambient: &Ambient) -> Approval {
        self.sign(&self.statement(ask, ambient))
    }
}

/// The approval that says what is said in it, with a signature over that.
#[must_use]
pub fn approval_by(said: &Statement, signed: Signed) -> Approval {
    Approval {
        approver: said.approver,
        instead_of: None,
        asked_after: None,
        stage: 0,
        digest: said.over(),
        at: said.at,
        signed: Some(Box::new(signed)),
    }
}
