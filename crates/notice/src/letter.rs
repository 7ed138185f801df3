//! A notice as mail: subject, plain text, minimal HTML. Nothing in it acts, and nothing in it is secret.

use wane_domain::id::DeliveryId;
use wane_domain::time::Time;
use wane_markup::escaped;

use crate::delivery::Delivery;
use crate::kind::Class;

/// A mail, but for whom it is from and to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Which delivery: its `Message-ID` is of this.
    pub id: DeliveryId,
    /// When what it tells happened: its `Date`.
    pub at: Time,
    /// What it belongs to: mails about one grant or request are one thread.
    pub thread: String,
    /// In one line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// The mail that a delivery is.
#[must_use]
pub fn letter(delivery: &Delivery, server: &str) -> Letter {
    let notice = &delivery.notice;
    let about = &notice.about;
    let thread = about.grant.map(|id| id.to_string()).or(about.request.map(|id| id.to_string()));
    let mut text = capital(&notice.subject);
    let mut html = format!("<p>{}</p>\n", escaped(&text));
    text.push_str(".\n");
    for line in &notice.lines {
        text.push_str(&format!("\n{line}\n"));
        html.push_str(&format!("<p>{}</p>\n", escaped(line)));
    }
    if let Some(todo) = &notice.todo {
        text.push_str(&format!("\n{}:\n\n    {}\n", capital(&todo.to), todo.command));
        html.push_str(&format!("<p>{}:</p>\n<pre>{}</pre>\n", escaped(&capital(&todo.to)), escaped(&todo.command)));
    }
    let why = match notice.kind.class() {
        Class::News => {
            "You get this because it is about your access. To get less, have your attribute `notices` set to `few`."
        }
        Class::Work => "You get this because somebody waits for you.",
        Class::Security => "You get this because it is about security; it is always sent.",
    };
    let foot = format!("{} at {}, {}. {why}", notice.kind.word(), server, notice.at);
    text.push_str(&format!("\n-- \n{foot}\n"));
    html.push_str(&format!("<p><small>{}</small></p>\n", escaped(&foot)));
    let html = format!("<!doctype html>\n<meta charset=\"utf-8\">\n{html}");
    let subject = format!("[Wane] {}", notice.subject);
    Letter {
        id: delivery.id,
        at: notice.at,
        thread: thread.unwrap_or_else(|| delivery.id.to_string()),
        subject,
        text,
        html,
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
