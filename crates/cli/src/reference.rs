//! The reference of the command line, as a page.

use std::fmt::Write as _;

use clap::Command as ClapCommand;

use crate::exit::CODES;
use crate::extra::ExtraCommand;
use crate::root::command;

/// The page, with what others bring.
#[must_use]
pub fn reference(extra: &[Box<dyn ExtraCommand>]) -> String {
    let mut page = String::from(
        "# The command line\n\n\
         Generated from the program itself. `wane --help` lists the commands of the program at hand, which \
         may have more: each kind of target brings its own, such as `wane ssh`.\n\n\
         ## Exit codes\n\n| code | meaning |\n|---|---|\n",
    );
    for (exit, meaning) in CODES {
        let _ = writeln!(page, "| {} | {meaning} |", exit.code());
    }
    page.push_str(
        "\nCommands that run another program (`wane exec`, `wane ssh` and their like) come out as that program did.\n\n\
         ## With every command\n\n| flag | meaning |\n|---|---|\n",
    );
    for arg in command(extra).get_arguments().filter(|arg| arg.is_global_set()) {
        let value = arg.get_value_names().and_then(|names| names.first());
        let value = value.filter(|_| arg.get_action().takes_values()).map_or(String::new(), |name| format!(" {name}"));
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, "| `--{}{value}` | {about} |", arg.get_id());
    }
    page.push_str(
        "\n## Environment\n\n| variable | meaning |\n|---|---|\n\
         | `WANE_SERVER` | the server's address, where `--server` is not given |\n\
         | `WANE_TOKEN` | the session's token, in place of the one kept by `wane login` |\n\
         | `WANE_CA` | the only certificate authorities to trust, where `--ca` is not given |\n\
         | `XDG_CONFIG_HOME` | `wane/session.json` under it keeps the server and the session's token; `$HOME/.config` if not set |\n\
         | `XDG_RUNTIME_DIR` | where `wane exec` keeps a secret while its command runs; else `/dev/shm`, `TMPDIR`, `/tmp`; in a job only memory will do |\n\
         | `WANE_ID_TOKEN_FILE`, `WANE_ID_TOKEN` | the token of the job that `wane exec` runs in; else a runner of GitHub Actions is asked |\n\
         | `WANE_AUDIENCE` | for whom a runner is asked to make it; the server's address if not set |\n\
         | `NO_COLOR` | no colours |\n\n\
         ## Output\n\nResults go to standard output, all else to standard error. With `--json` a result is the API's own \
         JSON; a listing is one page, `{\"items\": […], \"next\": …}`; an error is one JSON object on standard error, the \
         server's own problem document where it is the server's. Text from elsewhere is shown with control characters \
         spelt out.\n\n## Commands\n",
    );
    let mut root = command(extra).term_width(100);
    root.build();
    each(&root, &mut Vec::new(), &mut page);
    page
}

/// What goes with every command is said once, at the top.
fn without_everywhere(command: ClapCommand) -> ClapCommand {
    command.mut_args(|arg| if arg.is_global_set() || arg.get_id() == "help" { arg.hide(true) } else { arg })
}

fn each(parent: &ClapCommand, words: &mut Vec<String>, page: &mut String) {
    for sub in parent.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        words.push(sub.get_name().to_owned());
        let level = if words.len() == 1 { "###" } else { "####" };
        let help = without_everywhere(sub.clone()).term_width(100).render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = write!(page, "\n{level} wane {}\n\n```text\n{}\n```\n", words.join(" "), lines.join("\n").trim_end());
        each(sub, words, page);
        words.pop();
    }
}
