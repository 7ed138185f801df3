//! Directories that push people and groups.

use serde_json::json;
use wane_api::directories::{DirectoryRules, DirectorySignIn, DirectoryToken, NewDirectory, Orphans, RotateDirectory};

use super::{Done, facts};
use crate::access::Session;
use crate::args::directory as args;
use crate::exit::{Exit, Stop};
use crate::show;

pub(super) async fn directory(args: args::Directory, s: &Session) -> Done {
    let client = s.client()?;
    let shown = match args {
        args::Directory::Add(args) => {
            let mut rules = DirectoryRules::default();
            if let Some(name) = args.name {
                rules.name = name;
            }
            given(&mut rules, args.rules)?;
            let input = NewDirectory { name: args.directory, rules };
            token(&s.out.busy("the directory is added", client.new_directory(&input)).await?, s);
            return Ok(Exit::Done);
        }
        args::Directory::List => {
            let all = s.out.busy("the server is asked", client.directories()).await?;
            s.out.put(&all, |layout| show::directories::directories(&all.items, &s.present(), layout));
            return Ok(Exit::Done);
        }
        args::Directory::Show(args) => s.out.busy("the server is asked", client.directory(&args.directory)).await?,
        args::Directory::Change(args) => {
            let before = s.out.busy("the server is asked", client.directory(&args.directory)).await?.rules;
            let mut rules = before.clone();
            if args.no_attributes {
                rules.attributes.clear();
            }
            if args.no_groups {
                rules.groups.clear();
            }
            if args.no_sign_in {
                rules.sign_in = None;
            }
            given(&mut rules, args.rules)?;
            if rules == before {
                return Err(Stop::usage("nothing to change is given").todo("add --help to see what can be"));
            }
            s.out.busy("the directory is changed", client.edit_directory(&args.directory, &rules)).await?
        }
        args::Directory::Rotate(args) => {
            let input = RotateDirectory { overlap: Some(args.overlap) };
            token(&s.out.busy("a token is made", client.rotate_directory(&args.directory, &input)).await?, s);
            return Ok(Exit::Done);
        }
        args::Directory::Remove(args) => {
            let people = if args.keep_people { Orphans::Kept } else { Orphans::Disabled };
            let removed =
                s.out.busy("the directory is removed", client.remove_directory(&args.directory, people)).await?;
            let of = match people {
                Orphans::Disabled => {
                    format!("its {} people are disabled, {} of them now", removed.people, removed.disabled)
                }
                Orphans::Kept => format!("its {} people stay as they are, and are yours to change", removed.people),
            };
            s.put(
                &json!({ "removed": args.directory, "people": removed.people, "disabled": removed.disabled }),
                &format!("{} pushes no more; {of}", args.directory),
            );
            return Ok(Exit::Done);
        }
    };
    s.out.put(&shown, |layout| show::directories::directory(&shown, &s.present(), layout));
    Ok(Exit::Done)
}

fn token(made: &DirectoryToken, s: &Session) {
    s.out.put(made, |layout| show::directories::token(made, layout));
}

/// Rules with what the command line says in place of what they said.
fn given(rules: &mut DirectoryRules, args: args::Rules) -> Result<(), Stop> {
    if let Some(display) = args.display {
        rules.display = display;
    }
    if !args.attributes.is_empty() {
        rules.attributes = facts(&args.attributes)?;
    }
    if !args.groups.is_empty() {
        rules.groups = facts(&args.groups)?;
    }
    if let (Some(provider), Some(subject)) = (args.sign_in, args.subject) {
        rules.sign_in = Some(DirectorySignIn { provider, subject });
    }
    Ok(())
}
