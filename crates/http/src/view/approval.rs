//! Approver keys, and what they signed.

use wane_api::approval::{ApproverKeyView, SignedView, ToSignView, ToVouchView};
use wane_app::{ToSign, ToVouch, shown_key};
use wane_domain::approval::{ApproverKey, KeyMaterial, Signed};

use super::at;

pub(crate) fn key(key: &ApproverKey) -> ApproverKeyView {
    let shown = shown_key(&key.material);
    ApproverKeyView {
        id: key.id.to_string(),
        person_id: key.person.to_string(),
        name: key.name.to_string(),
        sort: shown.sort,
        fingerprint: shown.fingerprint,
        public_key: match &key.material {
            KeyMaterial::Ssh(line) => Some(line.clone()),
            KeyMaterial::Passkey { .. } => None,
        },
        since: at(key.since),
        proof: key.proof.clone(),
        removed: key.removed.map(|removed| at(removed.at)),
    }
}

pub(crate) fn to_sign(draft: ToSign) -> ToSignView {
    ToSignView {
        key: key(&draft.key),
        reference: draft.reference,
        text: draft.text,
        namespace: wane_app::SIGNING_NAMESPACE.to_owned(),
        options: draft.options,
        until: at(draft.until),
    }
}

pub(crate) fn to_vouch(draft: ToVouch) -> ToVouchView {
    ToVouchView {
        text: draft.text,
        namespace: wane_app::SIGNING_NAMESPACE.to_owned(),
        with: key(&draft.with),
        key: key(&draft.key),
        person: draft.owner,
    }
}

pub(crate) fn signed(signed: &Signed) -> Option<SignedView> {
    Some(SignedView {
        statement: signed.statement.clone(),
        key: serde_json::to_value(&signed.key).ok()?,
        signature: serde_json::to_value(&signed.signature).ok()?,
    })
}
