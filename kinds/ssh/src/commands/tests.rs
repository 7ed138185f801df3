//! The patterns, the reader of lines and what a real shell makes of what is quoted.

use std::process::Command;

use proptest::prelude::*;

use super::*;

fn commands(given: Value) -> Commands {
    Commands::read(&given).unwrap()
}

fn argv(line: &str) -> Argv {
    Argv::read(line.as_bytes()).unwrap()
}

#[test]
fn a_command_fits_a_pattern_word_by_word() {
    let role = commands(json!([
        ["systemctl", "restart", "nginx.service"],
        ["journalctl", "-u", "*"],
        ["tail", "-n", "*", "/var/log/app.log"],
        ["git", "**"],
    ]));
    for (line, allowed) in [
        ("systemctl restart nginx.service", true),
        ("  systemctl   'restart' \"nginx.service\" ", true),
        ("systemctl restart nginx.servic\\e", true),
        ("systemctl restart nginx", false),
        ("systemctl restart nginx.service ssh.service", false),
        ("systemctl", false),
        ("/bin/systemctl restart nginx.service", false),
        ("journalctl -u nginx", true),
        ("journalctl -u 'two words'", true),
        ("journalctl -u ''", true),
        // What looks like an option is none of the words that `*` stands for.
        ("journalctl -u --rotate", false),
        ("journalctl -u -", false),
        ("journalctl -u nginx --rotate", false),
        ("journalctl -u", false),
        ("tail -n 5 /var/log/app.log", true),
        ("tail -n 5 /etc/shadow", false),
        ("git", true),
        ("git -c core.pager=id log", true),
        ("gitk", false),
        // One word, however it looks.
        ("'git log'", false),
        ("'systemctl restart nginx.service'", false),
    ] {
        assert_eq!(role.allow(&argv(line)), allowed, "{line}");
    }
}

#[test]
fn what_a_shell_takes_for_more_than_a_word_is_refused() {
    for (line, word) in [
        ("id; id", "`;`"),
        ("id &", "`&`"),
        ("id|sh", "`|`"),
        ("id > /etc/passwd", "`>`"),
        ("id < x", "`<`"),
        ("(id)", "`(`"),
        ("echo $HOME", "`$`"),
        ("echo \"$HOME\"", "`$`"),
        ("echo \"`id`\"", "``"),
        ("echo `id`", "``"),
        ("ls *", "`*`"),
        ("ls ?", "`?`"),
        ("ls [a]", "`[`"),
        ("ls {a,b}", "`{`"),
        ("ls ~root", "`~`"),
        ("id # x", "`#`"),
        ("! id", "`!`"),
        ("id\nid", "U+000A"),
        ("id\tid", "U+0009"),
        ("id \\\nid", "U+000A"),
        ("echo \"a\\\nb\"", "U+000A"),
        ("echo 'a\0b'", "U+0000"),
        ("echo 'a", "not closed"),
        ("echo \"a", "not closed"),
        ("echo \"a\\\"", "not closed"),
        ("echo a\\", "backslash"),
        ("", "empty"),
        ("   ", "empty"),
    ] {
        let refused = Argv::read(line.as_bytes()).unwrap_err();
        assert!(refused.contains(word), "{line}: {refused}");
    }
    assert!(Argv::read(b"echo \xff").unwrap_err().contains("UTF-8"));
    assert!(Argv::read(&[b'x'; 4097]).unwrap_err().contains("4097"));
    assert!(Argv::read(&[b'x'; 4096]).is_ok());
    let quoted = argv("echo ';' \"|\" '$x' \\$x \\; \"a'b\" 'a\"b' \"\\$x\" \"\\`\"");
    assert_eq!(quoted.words()[1..], [";", "|", "$x", "$x", ";", "a'b", "a\"b", "$x", "`"]);
}

#[test]
fn patterns_are_strict_and_normal() {
    let role = commands(json!([["id"], ["ls", "*", "**"], ["id"]]));
    assert_eq!(role.json(), json!([["id"], ["ls", "*", "**"]]));
    assert_eq!(commands(role.json()), role);
    assert_eq!(role.listed(), "`id`, `ls * **`");
    for (bad, word) in [
        (json!([]), "leave the key out"),
        (json!("id"), "list of commands"),
        (json!(["id"]), "list of words"),
        (json!([[]]), "1 to 32 words"),
        (json!([["id", 1]]), "list of words"),
        (json!([["*"]]), "no program"),
        (json!([["**"]]), "no program"),
        (json!([["a=b", "id"]]), "no program"),
        (json!([["if", "id"]]), "no program"),
        (json!([["ls", "**", "x"]]), "at the end"),
        (json!([["ls", "nginx*"]]), "part of a word"),
        (json!([["ls", "***"]]), "part of a word"),
        (json!([["ls", ""]]), "1 to 256 bytes"),
        (json!([["ls", "a\nb"]]), "control"),
    ] {
        let error = Commands::read(&bad).unwrap_err();
        assert_eq!(error.what, "commands");
        assert!(error.why.contains(word), "{bad}: {error}");
    }
}

#[test]
fn fewer_commands_are_within_more() {
    let wide = commands(json!([["ls", "*"], ["git", "log", "**"], ["id"]]));
    for (narrow, within) in [
        (json!([["id"]]), true),
        (json!([["ls", "a"], ["id"]]), true),
        (json!([["ls", "*"]]), true),
        (json!([["ls", "-l"]]), false),
        (json!([["ls"]]), false),
        (json!([["ls", "**"]]), false),
        (json!([["git", "log"]]), true),
        (json!([["git", "log", "-p", "*", "**"]]), true),
        (json!([["git", "**"]]), false),
        (json!([["id"], ["reboot"]]), false),
    ] {
        assert_eq!(commands(narrow.clone()).is_within(&wide), within, "{narrow}");
    }
}

/// Words of few letters, so that patterns and commands meet.
fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]", "-[ab]", Just(String::new())]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let inner = prop_oneof![word().prop_map(Word::Exactly), Just(Word::Any)];
    (proptest::collection::vec(inner, 0..3), any::<bool>()).prop_map(|(words, open)| {
        let mut out = vec![Word::Exactly("p".to_owned())];
        out.extend(words);
        out.extend(open.then_some(Word::Rest));
        Pattern(out)
    })
}

fn patterns() -> impl Strategy<Value = Commands> {
    proptest::collection::vec(pattern(), 1..4).prop_map(Commands)
}

/// What `/bin/sh` makes of a line: its words.
fn by_shell(line: &str) -> Vec<String> {
    let script = format!("for word in {line}; do printf '%s\\0' \"$word\"; done");
    let out = Command::new("/bin/sh").args(["-c", &script]).env_clear().output().unwrap();
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

proptest! {
    #[test]
    fn whatever_a_narrower_role_runs_the_wider_would_run(
        narrow in patterns(),
        wide in patterns(),
        words in proptest::collection::vec(word(), 0..4),
    ) {
        let argv = Argv([vec!["p".to_owned()], words].concat());
        prop_assert!(narrow.is_within(&narrow));
        if narrow.is_within(&wide) && narrow.allow(&argv) {
            prop_assert!(wide.allow(&argv), "{argv:?}");
        }
    }

    #[test]
    fn what_is_read_is_read_the_same_again(line in prop_oneof!["\\PC{0,40}", "[ab '\"\\\\$;*-]{0,24}"]) {
        if let Ok(argv) = Argv::read(line.as_bytes()) {
            prop_assert_eq!(Argv::read(argv.quoted().unwrap().as_bytes()).unwrap(), argv);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_shell_sees_exactly_the_words_that_were_matched(
        words in proptest::collection::vec(prop_oneof!["\\PC{0,12}", "[a '\"\\\\$`;&|<>()*?#~!^={}\\[\\]-]{0,12}"], 1..6),
    ) {
        prop_assume!(words.iter().all(|word| !word.chars().any(char::is_control)));
        prop_assert_eq!(by_shell(&Argv(words.clone()).quoted().unwrap()), words);
    }

    /// A line that is taken means to a shell what it means here.
    #[test]
    fn a_line_that_is_taken_reads_as_a_shell_reads_it(line in "[ab '\"\\\\$;*=^@%,-]{1,24}") {
        if let Ok(argv) = Argv::read(line.as_bytes()) {
            prop_assert_eq!(by_shell(&line), argv.0);
        }
    }
}
