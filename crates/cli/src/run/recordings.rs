//! Recordings of sessions: which there are, played again, watched, held against the log.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use data_encoding::BASE64;
use futures::{Stream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use wane_api::query::{Recordings, Sought};
use wane_api::recording::EventLine;
use wane_client::{ClientError, Lines};

use super::{Done, more};
use crate::access::{Session, pages};
use crate::args::recordings as args;
use crate::exit::{Exit, Stop};
use crate::playback::Screen;
use crate::show;

pub(super) async fn recordings(args: args::Recordings, s: &Session) -> Done {
    let moment = |text: Option<&str>| text.map(|text| s.present().parse(text)).transpose();
    let (from, until) = (moment(args.from.as_deref())?, moment(args.until.as_deref())?);
    let client = s.client()?;
    let sought = [(args.text, None), (args.command, Some("command")), (args.file, Some("file"))];
    if let Some((text, within)) = sought.into_iter().find_map(|(text, within)| Some((text?, within))) {
        let within = within.map(str::to_owned);
        let query = Sought { text, within, person: args.person, resource: args.resource, from, until };
        let search = s.out.busy("recordings are searched", client.search_recordings(&query)).await?;
        s.out.put(&search, |_| show::recording::found(&search, &s.present()));
        return Ok(Exit::Done);
    }
    let (person, resource, verdict) = (args.person, args.resource, args.verdict);
    let query = Recordings { person, resource, verdict, from, until, cursor: None, limit: None };
    let listing = pages(args.many.into(), |cursor, limit| {
        let (client, query) = (&client, Recordings { cursor, limit, ..query.clone() });
        async move { client.recordings(&query).await }
    });
    let page = s.out.busy("the server is asked", listing).await?;
    s.out.put(&page, |layout| show::recording::list(&page.items, &s.present(), layout));
    more(s, page.next.as_ref());
    Ok(Exit::Done)
}

pub(super) async fn recording(command: args::Recording, s: &Session) -> Done {
    let args::Recording::Verify { session } = command;
    let verification = s.out.busy("it is read", s.client()?.verify_recording(&session)).await?;
    s.out.put(&verification, |_| show::recording::verification(&verification));
    Ok(if verification.whole { Exit::Done } else { Exit::Failed })
}

pub(super) async fn replay(args: args::Replay, s: &Session) -> Done {
    let client = s.client()?;
    if let Some(file) = &args.cast {
        let pieces = client.cast(&args.session, args.channel.unwrap_or(0)).await?;
        return keep(file, pieces, s).await;
    }
    if let Some(file) = &args.har {
        return keep(file, client.har(&args.session).await?, s).await;
    }
    let place = args.at.as_deref().map(|at| Place::read(at, s)).transpose()?;
    let lines = client.play(&args.session).await?;
    if args.commands {
        return commands(lines, place, s).await;
    }
    let pace = Pace { speed: args.speed, idle: args.idle, last: None, place };
    show(lines, args.channel, args.events, Some(pace), s).await
}

/// Where something begins.
enum Place {
    After(SignedDuration),
    At(Timestamp),
}

impl Place {
    fn read(text: &str, s: &Session) -> Result<Self, Stop> {
        match text.parse::<SignedDuration>() {
            Ok(after) => Ok(Self::After(after)),
            Err(_) => s.present().parse(text).map(Self::At),
        }
    }

    /// Whether this is before it.
    fn is_after(&self, at: Option<Timestamp>, began: Option<Timestamp>) -> bool {
        let Some(at) = at else { return false };
        match self {
            Self::At(place) => at < *place,
            Self::After(after) => began.is_some_and(|began| at.duration_since(began) < *after),
        }
    }
}

/// The commands of a session. How one came out is known later than that it ran; it stands with it all the same.
async fn commands(lines: Lines, place: Option<Place>, s: &Session) -> Done {
    let mut lines = pin!(lines);
    let mut began = None;
    // Those that run, by their channel.
    let mut running: Vec<EventLine> = Vec::new();
    let put = |line: &EventLine, status: Option<&str>| {
        let line = EventLine { more: status.map(str::to_owned), ..line.clone() };
        s.out.put_one(&line, || show::recording::command(&line, status, &s.present()))
    };
    while let Some(line) = lines.next().await {
        let line = line.map_err(Stop::from)?;
        let is_command = match line.what.as_str() {
            "began" => {
                began = line.at;
                continue;
            }
            "command" | "typed" => !place.as_ref().is_some_and(|place| place.is_after(line.at, began)),
            "done" | "exited" | "closed" => false,
            _ => continue,
        };
        // A shell runs one after the other: what is told next says that the one before is over.
        while let Some(place) = running.iter().position(|other| other.channel == line.channel) {
            let before = running.remove(place);
            let fits = matches!((before.what.as_str(), line.what.as_str()), ("typed", "done") | ("command", "exited"));
            let status = line.more.as_deref().filter(|_| fits && before.from.as_deref() != Some("echoed"));
            if put(&before, status).is_err() {
                return Ok(Exit::Done);
            }
        }
        if is_command {
            running.push(line);
        }
    }
    for line in &running {
        if put(line, None).is_err() {
            break;
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn watch(args: args::Watch, s: &Session) -> Done {
    show(s.client()?.watch(&args.session).await?, args.channel, args.events, None, s).await
}

/// Writes what was asked for into a file that was not there.
async fn keep(path: &Path, pieces: impl Stream<Item = Result<Vec<u8>, ClientError>>, s: &Session) -> Done {
    let failed = |why: std::io::Error| Stop::failed(format!("`{}` cannot be written: {why}", path.display()));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(failed)?;
    let mut pieces = pin!(pieces);
    let written = async {
        while let Some(piece) = pieces.next().await {
            file.write_all(&piece?).map_err(failed)?;
        }
        file.sync_all().map_err(failed)
    };
    if let Err(stop) = written.await {
        // Half of it looks whole to whoever finds it.
        let _ = std::fs::remove_file(path);
        return Err(stop);
    }
    s.say(&format!("written to {}", path.display()));
    Ok(Exit::Done)
}

/// How fast something is played.
struct Pace {
    speed: f64,
    /// No pause is longer, in seconds.
    idle: f64,
    last: Option<Timestamp>,
    /// What is before is shown at once.
    place: Option<Place>,
}

impl Pace {
    async fn wait(&mut self, at: Option<Timestamp>, began: Option<Timestamp>) {
        if self.place.as_ref().is_some_and(|place| place.is_after(at, began)) {
            return;
        }
        let Some(at) = at else { return };
        if let Some(last) = self.last.replace(at) {
            let since = at.duration_since(last).as_secs_f64() / self.speed;
            let pause = since.clamp(0.0, self.idle);
            tokio::time::sleep(Duration::try_from_secs_f64(pause).unwrap_or_default()).await;
        }
    }
}

/// A terminal that something is played on, which is left as it was also when the playing is broken off.
pub(super) struct Stage<'a> {
    pub(super) screen: Screen,
    pub(super) restores: bool,
    pub(super) session: &'a Session,
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if self.restores {
            self.session.out.raw(&self.screen.end());
        }
    }
}

async fn show(lines: Lines, channel: Option<u32>, events: bool, mut pace: Option<Pace>, s: &Session) -> Done {
    let mut lines = pin!(lines);
    let shows = !events && !s.out.json;
    let mut stage = Stage { screen: Screen::new(), restores: shows && s.out.to_terminal, session: s };
    let (mut channel, mut ending, mut began) = (channel, None, None);
    while let Some(line) = lines.next().await {
        let line = line.map_err(Stop::from)?;
        match line.what.as_str() {
            "end" => ending.clone_from(&line.text),
            "began" => began = line.at,
            _ => {}
        }
        if !shows {
            if pace.as_ref().and_then(|pace| pace.place.as_ref()).is_some_and(|place| place.is_after(line.at, began)) {
                continue;
            }
            if s.out.put_one(&line, || show::recording::event(&line, &s.present())).is_err() {
                return Ok(Exit::Done);
            }
            continue;
        }
        // What is played is the first channel on which a program runs.
        if matches!(line.what.as_str(), "terminal" | "shell" | "command") && channel.is_none() {
            channel = line.channel;
        }
        if line.channel != channel || line.what != "data" || line.from.as_deref() == Some("client") {
            continue;
        }
        if let Some(pace) = &mut pace {
            pace.wait(line.at, began).await;
        }
        s.out.raw(&stage.screen.feed(&bytes(&line)));
    }
    drop(stage);
    match ending.as_deref() {
        Some("whole") => s.say("the session is over"),
        Some(_) => s.say("the recording ends here, and not with the end of its session"),
        None => s.say("what was recorded goes on"),
    }
    Ok(Exit::Done)
}

pub(super) fn bytes(line: &EventLine) -> Vec<u8> {
    match (&line.text, &line.base64) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(base64)) => BASE64.decode(base64.as_bytes()).unwrap_or_default(),
        (None, None) => Vec::new(),
    }
}
