//! From the words of the command line to the command, and its exit code.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command as ClapCommand, CommandFactory as _, FromArgMatches as _};

use crate::access::Session;
use crate::args::machine::Shell;
use crate::args::{Command, Global, LISTED, Line};
use crate::env::Env;
use crate::exit::{Exit, Stop};
use crate::extra::{ExtraCommand, Group, Json};

/// What the words after an extra command's own are called.
const REST: &str = "rest";

/// Runs the command line; returns the process's exit code. `args` begins with the program's name.
pub async fn run(args: Vec<OsString>, env: Env, extra: Vec<Box<dyn ExtraCommand>>) -> i32 {
    let width = env.width.map_or(100, |w| usize::from(w).clamp(40, 100));
    let mut root = command(&extra).term_width(width);
    let matches = match root.try_get_matches_from_mut(args) {
        Ok(matches) => matches,
        Err(error) => return told(&error, env),
    };
    let mut global = match Global::from_arg_matches(&matches) {
        Ok(global) => global,
        Err(error) => return told(&error, env),
    };
    if let Some((command, mut args)) = extra.iter().find_map(|x| Some((x, rest_of(x.words(), &matches)?))) {
        if command.json() == Json::Ours {
            let given = args.len();
            args.retain(|word| word != "--json");
            global.json |= args.len() < given;
        }
        let session = Session::new(env, &global);
        return command.run(args, &session).await.code();
    }
    let command = match Line::from_arg_matches(&matches) {
        Ok(line) => line.command,
        Err(error) => return told(&error, env),
    };
    let mut session = Session::new(env, &global);
    session.programs = extra.iter().flat_map(|x| x.programs().iter().copied()).collect();
    session.givers = extra.iter().filter_map(|x| x.giver()).collect();
    if let Command::Completion(args) = &command {
        session.out.raw(&completion(args.shell, &mut self::command(&extra)));
        return Exit::Done.code();
    }
    own(command, &session).await.code()
}

/// Runs one of our own commands until it is done or interrupted.
async fn own(command: Command, session: &Session) -> Exit {
    // What it runs takes the terminal's interrupts for itself.
    let passes_interrupts = matches!(command, Command::Exec(_));
    let work = crate::run::run(command, session);
    let done = if passes_interrupts {
        work.await
    } else {
        tokio::select! {
            biased;
            done = work => done,
            _ = tokio::signal::ctrl_c() => return Exit::Interrupted,
        }
    };
    done.unwrap_or_else(|stop: Stop| session.report(&stop))
}

/// Shows what clap has to say: help on standard output, mistakes on standard error.
fn told(error: &clap::Error, env: Env) -> i32 {
    let colours = env.var("NO_COLOR").is_none();
    let session_text = |terminal: bool, text: StyledStr| {
        if terminal && colours { text.ansi().to_string() } else { text.to_string() }
    };
    let session = |env| Session::new(env, &Global::default());
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let text = session_text(env.stdout_is_terminal, error.render());
        session(env).out.raw(&text);
        Exit::Done.code()
    } else {
        // What was typed may hold anything; clap quotes it as it is.
        let text = crate::escape::block(&error.render().to_string());
        session(env).out.raw_err(&text);
        Exit::Usage.code()
    }
}

/// The arguments of an extra command, if that is what was called.
fn rest_of(words: &[&str], matches: &ArgMatches) -> Option<Vec<String>> {
    let mut at = matches;
    for word in words {
        at = at.subcommand_matches(word)?;
    }
    let rest = at.try_get_many::<String>(REST).ok()?;
    Some(rest.map(|rest| rest.cloned().collect()).unwrap_or_default())
}

/// The whole command line, with what others bring.
pub(crate) fn command(extra: &[Box<dyn ExtraCommand>]) -> ClapCommand {
    let mut root = Line::command();
    for command in extra {
        root = graft(root, command.words(), command.about());
    }
    let listing = listing(&root, extra);
    root.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{listing}Options:\n{{options}}{{after-help}}"
    ))
    .after_help("`wane COMMAND --help` says more about a command, `wane help exit-codes` about exit codes.")
    .max_term_width(100)
}

/// Puts an extra command where its words say.
fn graft(parent: ClapCommand, words: &'static [&'static str], about: &'static str) -> ClapCommand {
    match words {
        [] => parent,
        [last] => parent.subcommand(
            ClapCommand::new(*last).about(about).disable_help_flag(true).arg(
                Arg::new(REST)
                    .action(ArgAction::Append)
                    .num_args(0..)
                    .trailing_var_arg(true)
                    .allow_hyphen_values(true)
                    .value_name("ARGUMENT"),
            ),
        ),
        [first, rest @ ..] => {
            if parent.find_subcommand(first).is_some() {
                parent.mut_subcommand(*first, |sub| graft(sub, rest, about))
            } else {
                let sub = ClapCommand::new(*first).subcommand_required(true).arg_required_else_help(true);
                parent.subcommand(graft(sub, rest, about))
            }
        }
    }
}

/// All commands under their headings.
fn listing(root: &ClapCommand, extra: &[Box<dyn ExtraCommand>]) -> String {
    let mut text = String::new();
    for group in Group::ALL {
        let own = LISTED.iter().filter(|(g, _)| *g == group).flat_map(|(_, names)| names.iter().copied());
        let mut names: Vec<&str> = own.collect();
        for command in extra.iter().filter(|x| x.group() == group) {
            if let [word, ..] = command.words()
                && !LISTED.iter().any(|(_, names)| names.contains(word))
                && !names.contains(word)
            {
                names.push(word);
            }
        }
        let _ = writeln!(text, "{}:", group.title());
        for name in names {
            let about = root.find_subcommand(name).map_or_else(|| "Explain a command".to_owned(), about);
            let _ = writeln!(text, "  {name:<14}{about}");
        }
        text.push('\n');
    }
    text
}

/// What a command is for; of one that only holds others, which these are.
fn about(command: &ClapCommand) -> String {
    let of = || {
        let names = command.get_subcommands().map(|sub| format!("`{} {}`", command.get_name(), sub.get_name()));
        names.collect::<Vec<_>>().join(", ")
    };
    command.get_about().map_or_else(of, ToString::to_string)
}

fn completion(shell: Shell, command: &mut ClapCommand) -> String {
    let mut script = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, command, "wane", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
