//! What is understood of a shell: what was shown, never what was only typed.

use proptest::prelude::*;

use super::*;

/// What somebody does and sees, in turn: `<` is typed, `>` is shown.
fn told(columns: u32, said: &[&str]) -> Vec<Event<'static>> {
    let mut shell = Shell::new(3, columns);
    said.iter()
        .flat_map(|said| match said.split_at(1) {
            ("<", typed) => shell.typed(typed.as_bytes()),
            (">", shown) => shell.shown(shown.as_bytes()),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn marked(text: &'static str) -> Event<'static> {
    Event::Command { channel: 3, text: text.into(), confidence: Confidence::Marked }
}

fn echoed(text: &'static str) -> Event<'static> {
    Event::Command { channel: 3, text: text.into(), confidence: Confidence::Echoed }
}

fn done(status: u32) -> Event<'static> {
    Event::Done { channel: 3, status: Some(status) }
}

/// A prompt with marks, as bash has it.
const PROMPT: &str = ">\u{1b}]133;A\u{7}me@web:~$ \u{1b}]133;B\u{7}";

#[test]
fn marks_say_what_was_run_and_how_it_came_out() {
    let said = [
        PROMPT,
        "<i",
        ">i",
        "<d\r",
        ">d\r\n\u{1b}]133;C\u{7}uid=0\r\n\u{1b}]133;D;0\u{7}",
        PROMPT,
        "<false\r",
        ">false\r\n\u{1b}]133;C\u{1b}\\\u{1b}]133;D;1\u{1b}\\",
        PROMPT,
        "<\r",
        ">\r\n",
        PROMPT,
    ];
    assert_eq!(told(80, &said), [marked("id"), done(0), marked("false"), done(1)]);
}

#[test]
fn an_editors_marks_say_the_line_word_for_word() {
    let shown = ">a\u{1b}[Ds; echo \r\n\u{1b}]633;E;echo a\\x3b echo \\\\n;nonce\u{7}\u{1b}]633;C\u{7}";
    let said = [">\u{1b}]633;A\u{7}$ \u{1b}]633;B\u{7}", "<x\r", shown, ">\u{1b}]633;D;7\u{7}"];
    let both = [marked("echo a; echo \\n"), echoed("s; echo"), done(7)];
    assert_eq!(told(80, &said), both, "and what stood there, where that differs");
}

#[test]
fn without_marks_it_is_the_line_that_was_echoed() {
    for (said, found) in [
        (&["># ", "<ls -l\r", ">ls -l\r\ntotal 0\r\n# "][..], vec!["ls -l"]),
        // Letter by letter, with what is corrected.
        (&["># ", "<l", ">l", "<x", ">x", "<\u{7f}", ">\u{8} \u{8}", "<s", ">s", "<\r", ">\r\n"], vec!["ls"]),
        // In the middle of the line.
        (
            &[">$ ", "<cat b", ">cat b", "<\u{1b}[D", ">\u{8}", "<a ", ">\u{1b}[1@a\u{1b}[1@ ", "<\r", ">\r\n"],
            vec!["cat a b"],
        ),
        (&[">$ ", "<wrong", ">wrong", "<\u{15}", ">\r$ \u{1b}[K", "<right\r", ">right\r\n"], vec!["right"]),
        // One from before, put there by the shell.
        (&[">$ ", "<\u{1b}[A", ">systemctl stop x", "<\r", ">\r\n"], vec!["systemctl stop x"]),
        // A list of files between, and the line again below.
        (&[">$ ", "<ca", ">ca", "<\t\t", ">\r\ncal cat\r\n$ ca", "<t\r", ">t\r\n"], vec!["cat"]),
        (&[">$ ", "<sleep", ">sleep", "<\u{3}", ">^C\r\n$ ", "<id\r", ">id\r\n"], vec!["id"]),
        (&[">$ ", "<clear", ">clear", "<\u{c}", ">\u{1b}[H\u{1b}[2J$ clear", "<\r", ">\r\n"], vec!["clear"]),
        // Typed before there was a prompt.
        (&[">$ ", "<sleep 1\rsudo id\r", ">sleep 1\r\n", ">$ sudo id\r\n"], vec!["sleep 1", "sudo id"]),
        (&[">$ ", "<\r", ">\r\n$ ", "<\r", ">\r\n$ "], vec![]),
        // Output is nobody's command.
        (&[">$ ", ">line\r\nline\r\n$ "], vec![]),
        (&[">日本$ ", "<echo 語\r", ">echo 語\r\n"], vec!["echo 語"]),
    ] {
        let expected: Vec<_> = found.into_iter().map(echoed).collect();
        assert_eq!(told(80, said), expected, "{said:?}");
    }
}

#[test]
fn what_is_not_echoed_is_nowhere() {
    let said = [
        "># ",
        "<sudo id\r",
        ">sudo id\r\n[sudo] password for me: ",
        "<geheimnis\r",
        ">\r\nuid=0\r\n# ",
        "<w\r",
        ">w\r\n",
    ];
    let events = told(80, &said);
    assert_eq!(events, [echoed("sudo id"), echoed("w")]);
    // Neither with marks, nor where a program asks that draws no prompt.
    let marked_said =
        [PROMPT, "<su\r", ">su\r\n\u{1b}]133;C\u{7}Password: ", "<geheimnis\r", ">\r\n\u{1b}]133;D;0\u{7}"];
    assert_eq!(told(80, &marked_said), [marked("su"), done(0)]);
    // A program that does not even end the line: what it writes next is no command.
    assert_eq!(told(80, &["># ", "<geheimnis\r", ">thanks\r\n# "]), []);
    let blind = ["<geheimnis\r", ">\r\n", "<noch eins\r\n", ">\r\n"];
    assert_eq!(told(80, &blind), []);
}

#[test]
fn a_long_line_is_one_and_several_lines_are_several() {
    // As readline draws it: at the edge a space and back to the beginning of the row.
    let said = [">$ ", "<echo abcdfgh", ">echo abcd \rfgh", "<\r", ">\r\n"];
    assert_eq!(told(11, &said), [echoed("echo abcdfgh")]);
    let said = [
        PROMPT,
        "<for a in b\r",
        ">for a in b\r\n> ",
        "<do id\r",
        ">do id\r\n> ",
        "<done\r",
        ">done\r\n\u{1b}]133;C\u{7}",
    ];
    let whole = marked("for a in b\n> do id\n> done");
    assert_eq!(told(80, &said), [echoed("for a in b"), echoed("do id"), whole]);
}

#[test]
fn marks_hide_nothing_that_was_echoed() {
    // Somebody prints a mark that says "from here on it is typed", and goes on in a shell that has none.
    let said = [
        ">$ ",
        "<printf x\r",
        ">printf x\r\n\u{1b}]133;A\u{7}\u{1b}]133;B\u{7}$ ",
        "<rm a\r",
        ">rm a\r\n$ ",
        "<rm b\r",
        ">rm b\r\n$ ",
        "<rm c\r",
        ">rm c\r\n\u{1b}]133;A\u{7}",
    ];
    assert_eq!(told(80, &said), [echoed("printf x"), echoed("rm a"), echoed("rm b"), echoed("rm c")]);
    // What runs inside a command that was marked is seen by what is echoed: a shell in a shell.
    let said = [PROMPT, "<sh\r", ">sh\r\n\u{1b}]133;C\u{7}# ", "<id\r", ">id\r\nuid=0\r\n# "];
    assert_eq!(told(80, &said), [marked("sh"), echoed("id")]);
}

#[test]
fn inside_a_full_screen_program_it_is_said_that_nobody_knows() {
    let said = [
        ">$ ",
        "<vi\r",
        ">vi\r\n\u{1b}[?1049h~\r\n",
        "<:!id\r",
        "<more",
        ">uid\r\n",
        "<:q\r",
        ">\u{1b}[?1049l$ ",
        "<id\r",
        ">id\r\n",
    ];
    let unclear = Event::Unclear { channel: 3, why: "keys are pressed inside a full-screen program".into() };
    assert_eq!(told(80, &said), [echoed("vi"), unclear, echoed("id")]);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut shell = Shell::new(3, 80);
    shell.typed(b"\x1b[A");
    for _ in 0..2000 {
        shell.shown(&[b'x'; 1000]);
        shell.shown(b"\x1b[65535C\x1b[65535@\x1b[65535B");
    }
    shell.typed(b"\r");
    let events = shell.shown(b"\r\n");
    let [Event::Command { text, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert!(text.len() <= LONGEST);
}

proptest! {
    /// However what is shown is cut into pieces, also within a character or a sequence.
    #[test]
    fn pieces_make_no_difference(
        text in "(a|é|語|\r|\n|\r\n|\u{8}|\u{1b}\\[[0-9]{0,2}[A-Z@]|\u{1b}\\]133;[ABCD](;[0-9])?\u{7}|\u{1b}\\]633;E;x\\\\x3b\u{7}|\u{1b}\\[\\?1049[hl]){0,40}",
        typed in "[a-z\r\u{3}]{0,8}",
        cuts in proptest::collection::vec(0_usize..200, 0..5),
    ) {
        let (mut whole, mut pieces) = (Shell::new(3, 10), Shell::new(3, 10));
        let mut expected = whole.typed(typed.as_bytes());
        let mut found = pieces.typed(typed.as_bytes());
        expected.extend(whole.shown(text.as_bytes()));
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([text.len()]).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts {
            found.extend(pieces.shown(&text.as_bytes()[from..cut]));
            from = cut;
        }
        prop_assert_eq!(found, expected);
    }

    /// What is typed is in no event unless it was shown.
    #[test]
    fn what_is_typed_is_never_told(typed in "[a-z0-9]{6,12}", shown in "(\\$ |\r\n|[A-Z ]{0,20}|\u{1b}\\]133;[ABCD]\u{7}){0,10}") {
        let mut shell = Shell::new(3, 80);
        let mut events = shell.shown(b"$ ");
        events.extend(shell.typed(format!("{typed}\r").as_bytes()));
        events.extend(shell.shown(shown.as_bytes()));
        events.extend(shell.shown(b"\r\n"));
        prop_assert!(!format!("{events:?}").contains(&typed), "{:?}", events);
    }

    #[test]
    fn nothing_makes_it_fall(said in proptest::collection::vec((any::<bool>(), proptest::collection::vec(prop_oneof![Just(0x1b_u8), Just(b'['), Just(b']'), Just(b'\n'), any::<u8>()], 0..40)), 0..20), columns in any::<u32>()) {
        let mut shell = Shell::new(3, columns);
        for (typed, bytes) in said {
            if typed { shell.typed(&bytes) } else { shell.shown(&bytes) };
        }
    }
}
