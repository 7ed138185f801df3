//! A fresh deployment, its people, its policy.

use anyhow::{Context, Result};
use wane_testkit::PersonSession;

use super::narrator::{Narrator, word};
use super::stage::{ADMIN, ENGINEER, OWNER, Stage};
use crate::command;

/// `wane init`, `wane server`, and the first administrator.
pub(crate) fn deployment(say: &Narrator, stage: &mut Stage) -> Result<()> {
    say.scene("A fresh deployment");
    let mut admin = stage.server.person(ADMIN)?;
    let init = stage.server.init_words();
    let made = say.wane(&admin, &borrowed(&init))?;
    let code = word(&made, "wane_e_").context("`wane init` printed no one-time code")?.to_owned();

    let mut serve = vec!["wane".to_owned()];
    serve.extend(stage.server.server_words());
    serve.push("&".to_owned());
    say.line("root", &serve);
    stage.server.start()?;
    say.output(&stage.server.log());

    sign_in(say, &mut admin, &code)?;
    stage.enter(admin);
    Ok(())
}

/// The engineer and the owner of the database.
pub(crate) fn people(say: &Narrator, stage: &mut Stage) -> Result<()> {
    say.scene("People and groups");
    for (group, description) in [("engineers", "build and run things"), ("dba", "look after databases")] {
        say.wane(stage.admin()?, &["group", "add", group, "--description", description])?;
    }
    for (name, display, group) in [(ENGINEER, "Maya Ito", "engineers"), (OWNER, "Omar Haddad", "dba")] {
        say.wane(stage.admin()?, &["person", "add", name, "--display", display])?;
        say.wane(stage.admin()?, &["group", "join", group, name])?;
        let said = say.wane(stage.admin()?, &["person", "enrol", name])?;
        let code = word(&said, "wane_e_").context("no one-time code was printed")?;
        let mut person = stage.server.person(name)?;
        sign_in(say, &mut person, code)?;
        stage.enter(person);
    }
    Ok(())
}

/// The policy file, shown and loaded.
pub(crate) fn policy(say: &Narrator, stage: &Stage) -> Result<()> {
    say.scene("The policy");
    let file = command::root().join("policies/demo.cedar");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
    say.aside("policies/demo.cedar", &text);
    let path = file.display().to_string();
    say.wane(stage.admin()?, &["policy", "load", &path])?;
    Ok(())
}

/// Enrols with a one-time code, then signs in with password and the authenticator's code.
fn sign_in(say: &Narrator, person: &mut PersonSession, code: &str) -> Result<()> {
    person.choose_password()?;
    let password = person.password_file().display().to_string();
    let said = say.wane(person, &["enrol", code, "--password-file", &password])?;
    person.keep_otpauth(word(&said, "otpauth://").context("no otpauth address was printed")?)?;
    let totp = person.totp()?;
    let name = person.name().to_owned();
    say.wane(person, &["login", "--person", &name, "--password-file", &password, "--totp", &totp])?;
    Ok(())
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}
