//! A life from beginning to end at a real target, for whoever writes a declaration: no grant, no record, nothing handed out.

use wane_connector::{Presence, Target};
use wane_domain::id::LeaseId;
use wane_domain::time::Time;

use crate::effects::{HookEffects, LOOK, MAKE, UNDO, bounded, settings};
use crate::fail::Fail;
use crate::life;
use crate::role::Definition;
use crate::text::Piece;

/// What a rehearsal showed, step by step.
#[derive(Debug, Default)]
pub(crate) struct Rehearsed {
    pub(crate) steps: Vec<String>,
}

impl HookEffects {
    /// Makes something, reads it back, ends it, reads its absence back, and says at each step what was seen.
    pub(crate) async fn rehearse(
        &self,
        target: &Target<'_>,
        role: &Definition,
        until: Time,
    ) -> Result<Rehearsed, (Rehearsed, Fail)> {
        let mut out = Rehearsed::default();
        match self.rehearse_into(target, role, until, &mut out).await {
            Ok(()) => Ok(out),
            Err(fail) => Err((out, fail)),
        }
    }

    async fn rehearse_into(
        &self,
        target: &Target<'_>,
        role: &Definition,
        until: Time,
        out: &mut Rehearsed,
    ) -> Result<(), Fail> {
        let settings = settings(target)?;
        if let Some(problem) = role.problem(&settings) {
            return Err(Fail::refused(problem));
        }
        let (line, offers) = (self.line(target, &settings)?, settings.offers());
        let lease: LeaseId = self.ambient.id();
        let piece = Piece {
            name: format!("wane_{}", lease.suffix()),
            grant: "grt_0".to_owned(),
            lease: lease.to_string(),
            resource: target.resource.name.to_string(),
            end: until,
            now: target.now,
        };
        let generated = offers.generated.then(|| self.secret());
        let values = role.map();
        let made =
            bounded(MAKE, life::make(&*line, offers, &piece, &values, generated.as_ref().map(|s| s.as_str()))).await;
        let id = match made {
            Ok(made) => {
                let secret = if made.secret.or(generated).is_some() { "with a secret" } else { "without a secret" };
                let id = made.id.as_ref().map(|id| format!(", `{id}` there")).unwrap_or_default();
                out.steps.push(format!("made `{}`{id}, {secret}, and read back present", piece.name));
                made.id
            }
            Err(fail) => {
                let undone = bounded(UNDO, life::end(&*line, offers, &piece)).await;
                out.steps.push(match undone {
                    Ok(_) => "it could not be made, and what there may have been was revoked".to_owned(),
                    Err(met) => format!("it could not be made, nor what there may be of it revoked: {met}"),
                });
                return Err(fail);
            }
        };
        bounded(LOOK, life::end(&*line, offers, &piece)).await?;
        out.steps.push("revoked".to_owned());
        if !offers.proves() {
            out.steps.push("the target cannot be asked whether it is gone".to_owned());
            return Ok(());
        }
        match bounded(LOOK, life::read_back(&*line, offers, &piece, id.as_deref())).await? {
            Presence::Absent { proof } => out.steps.push(format!("read back absent: {proof}")),
            Presence::Present { seen } | Presence::LoginRefused { proof: seen } => {
                return Err(Fail::refused(format!("it was revoked, and read back it is still there: {seen}")));
            }
        }
        bounded(LOOK, life::end(&*line, offers, &piece)).await?;
        out.steps.push("revoked once more, as after a crash: as good".to_owned());
        Ok(())
    }
}
