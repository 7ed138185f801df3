//! Chores of the project, the same on a laptop and in CI. Each chore is a module; this file only
//! picks one.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

mod aiosmtpd;
mod ansible;
mod bench;
mod certbot;
mod command;
mod demo;
mod deps;
mod fuzz;
mod lint;
mod mutants;
mod node;
mod python;
mod python_libraries;
mod schemathesis;
mod scim2;
mod seaweedfs;
mod soak;
mod ssh_audit;
mod test;
mod web;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask CHORE

  demo   the main job on real servers, in front of you; with --keep they stay up to play with
  test   install what the tests need, build everything, run every test
  lint   formatting, clippy, and the project's own rules
  ci     lint, then test
  bench  figures beside those of peers: `bench [FIGURE…] [--rounds N] [--quick] [--write]`
  fuzz   [TARGET] [--minutes N | --seconds N]: look for inputs that break a reader, guided by coverage
  schemathesis   what the OpenAPI document says against what the server does; with --long, many more cases
  ssh-audit      what `ssh-audit` says of the gateway of the binary that was built
  soak   [--minutes N]: kills at random with fresh seeds, and fuzz and schemathesis for a share of the time
  web    build the web UI that the server serves, and hold what it loads first against its budget
  screenshots    pictures of the web UI's main pages, into docs/images
  deps   only install what the tests need
  mutants guards [WORD…]  take away each guard (or those of an id, a row, or about a word); its test must turn red
  mutants [CRATE] [WORD…]   break the code line by line (or the lines a word is about); only listed mutants may survive
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["demo"] => demo::run(demo::After::Stop),
        ["demo", "--keep"] => demo::run(demo::After::Keep),
        ["test"] => test::run(),
        ["lint"] => lint::run(),
        ["ci"] => lint::run().and_then(|()| test::run()),
        ["bench", rest @ ..] => bench::run(rest),
        ["fuzz", rest @ ..] => fuzz::run_words(rest),
        ["schemathesis"] => schemathesis::run(schemathesis::Length::Short),
        ["schemathesis", "--long"] => schemathesis::run(schemathesis::Length::Long),
        ["ssh-audit"] => ssh_audit::run(),
        ["soak", rest @ ..] => soak::run_words(rest),
        ["deps"] => deps::ensure()
            .and_then(|()| seaweedfs::ensure())
            .and_then(|()| node::install())
            .and_then(|()| ansible::install())
            .and_then(|()| scim2::install())
            .and_then(|()| aiosmtpd::install())
            .and_then(|()| python_libraries::install())
            .and_then(|()| certbot::install()),
        ["web"] => web::build(),
        ["screenshots"] => web::pictures(),
        ["mutants", rest @ ..] => mutants::run(rest),
        ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            Ok(())
        }
        [] => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
        unknown => {
            eprint!("`{}` is not a chore\n\n{USAGE}", unknown.join(" "));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
