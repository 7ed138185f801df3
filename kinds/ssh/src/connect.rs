//! The lines for a terminal by which a holder logs in.

use wane_connector::{ConnectLine, Held};

use crate::role::Definition;

/// The port that nobody has to name.
const USUAL: u16 = 22;

/// Plain `ssh` through the gateway, with each login name of the role; then `wane ssh`.
pub(crate) fn lines(definition: &Definition, to: &Held<'_>) -> Vec<ConnectLine> {
    let Held { resource, role, task, gateway, .. } = to;
    // Both programs hand one word over as it is; a task runs exactly so.
    let task = task.map(ToString::to_string);
    let Ok(words) = task.as_deref().map(shlex::try_quote).transpose() else { return Vec::new() };
    let with = |line: String, mark: &str| match &words {
        Some(words) => format!("{line} {mark}{words}"),
        None => line,
    };
    let plain = gateway.iter().flat_map(|(host, port)| {
        let port = if *port == USUAL { String::new() } else { format!("-p {port} ") };
        definition.principals.iter().map(move |login| format!("ssh {port}{login}%{resource}@{host}"))
    });
    let plain = plain.map(|line| ConnectLine { what: "plain ssh, through the gateway", command: with(line, "") });
    let own = with(format!("wane ssh --role {} {resource}", role.name), "-- ");
    plain.chain([ConnectLine { what: "wane, which brings the certificate", command: own }]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wane_domain::catalogue::Role;
    use wane_domain::id::TypedId;
    use wane_domain::task::Task;
    use wane_domain::time::Time;

    use super::*;

    #[test]
    fn a_line_is_typed_as_it_stands() {
        let definition = Definition::read(&json!({ "principals": ["deploy", "ops"] })).unwrap();
        let role = Role {
            id: TypedId::mint(Time::from_micros(0), &[1; 10]),
            name: "deploy".parse().unwrap(),
            kind: "ssh".parse().unwrap(),
            description: "".parse().unwrap(),
            definition: definition.json(),
            since: Time::from_micros(0),
        };
        let task: Task = "echo 'it'; id".parse().unwrap();
        for (gateway, task, lines) in [
            (None, None, vec!["wane ssh --role deploy web-1"]),
            (
                Some(("gate.example", 2222)),
                None,
                vec![
                    "ssh -p 2222 deploy%web-1@gate.example",
                    "ssh -p 2222 ops%web-1@gate.example",
                    "wane ssh --role deploy web-1",
                ],
            ),
            (
                Some(("gate.example", 22)),
                Some(&task),
                vec![
                    r#"ssh deploy%web-1@gate.example "echo 'it'; id""#,
                    r#"ssh ops%web-1@gate.example "echo 'it'; id""#,
                    r#"wane ssh --role deploy web-1 -- "echo 'it'; id""#,
                ],
            ),
        ] {
            let said = super::lines(
                &definition,
                &Held { resource: "web-1", settings: &json!({}), role: &role, task, gateway },
            );
            assert_eq!(said.iter().map(|line| line.command.as_str()).collect::<Vec<_>>(), lines);
        }
    }
}
