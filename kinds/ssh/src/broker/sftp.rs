//! What an SFTP conversation says about files, read beside the bytes as they pass: version 3 of the protocol
//! (draft-ietf-secsh-filexfer-02) with the extensions that OpenSSH has.
//!
//! Owns: which request an answer belongs to, which file a handle stands for, what was done once the host said
//! so. Refuses to know: contents. Of a message only its beginning is kept, so that what passes in bulk is
//! neither copied nor waited for.
//!
//! What does not fit together ends the reading for good, with one event that says so; the bytes go on.

use std::collections::HashMap;

use wane_recording::{Event, FileDeed, Side};

use super::frames::{Frame, Frames};

/// Requests without an answer, and files that are open, at once.
const MOST_OPEN: usize = 16 * 1024;
/// What names and handles may take while they are needed, in bytes.
const MOST_KEPT: usize = 1024 * 1024;
const LONGEST_PATH: usize = 4096;
/// OpenSSH and the draft (section 6.2).
const LONGEST_HANDLE: usize = 256;

/// One conversation.
#[derive(Debug)]
pub(crate) struct Sftp {
    channel: u32,
    up: Frames,
    down: Frames,
    talk: Option<Talk>,
}

#[derive(Debug, Default)]
struct Talk {
    asked: HashMap<u32, Asked>,
    open: HashMap<Vec<u8>, File>,
    kept: usize,
}

/// What was asked, until it is answered.
#[derive(Debug)]
enum Asked {
    Open {
        path: String,
        deeds: Vec<FileDeed>,
    },
    Folder {
        path: String,
    },
    Close {
        handle: Vec<u8>,
    },
    Read {
        handle: Vec<u8>,
    },
    Write {
        handle: Vec<u8>,
        bytes: u64,
    },
    Deed {
        deed: FileDeed,
        path: String,
        to: Option<String>,
    },
    /// Something that is done to no file.
    Question,
    /// Nobody here knows what.
    Strange {
        name: String,
    },
}

/// What a handle stands for.
#[derive(Debug)]
struct File {
    path: String,
    is_folder: bool,
    read: u64,
    written: u64,
}

/// Why it cannot be read on.
struct Lost(&'static str);

const SHORT: Lost = Lost("a message is shorter than it says");

impl Sftp {
    pub(crate) fn new(channel: u32) -> Self {
        Self { channel, up: Frames::default(), down: Frames::default(), talk: Some(Talk::default()) }
    }

    /// Whether all of it was understood so far.
    pub(crate) fn is_understood(&self) -> bool {
        self.talk.is_some()
    }

    /// What these bytes say that was done.
    pub(crate) fn heard(&mut self, from: Side, bytes: &[u8]) -> Vec<Event<'static>> {
        let mut events = Vec::new();
        let Some(talk) = &mut self.talk else { return events };
        let channel = self.channel;
        let read = match from {
            Side::Client => self.up.bytes(bytes, keeps, |frame| talk.asks(frame)),
            Side::Target => self.down.bytes(bytes, keeps, |frame| talk.answers(channel, frame, &mut events)),
            Side::TargetError | Side::Wane => Ok(()),
        };
        if let Err(Lost(why)) = read {
            self.talk = None;
            (self.up, self.down) = Default::default();
            let why = format!("what passes is no SFTP that is understood here: {why}");
            events.push(Event::Unclear { channel, why: why.into() });
        }
        events
    }

    /// The channel is closed: what was left open is closed with it.
    pub(crate) fn over(&mut self) -> Vec<Event<'static>> {
        let Some(talk) = &mut self.talk else { return Vec::new() };
        let mut left: Vec<_> = talk.open.drain().map(|(_, file)| file).filter(|file| !file.is_folder).collect();
        left.sort_by(|a, b| a.path.cmp(&b.path));
        left.into_iter().map(|file| file.transferred(self.channel)).collect()
    }
}

impl File {
    fn new(path: String) -> Self {
        Self { path, is_folder: false, read: 0, written: 0 }
    }

    fn transferred(self, channel: u32) -> Event<'static> {
        Event::Transferred { channel, path: self.path.into(), read: self.read, written: self.written }
    }
}

impl From<super::frames::Broken> for Lost {
    fn from(broken: super::frames::Broken) -> Self {
        Self(broken.0)
    }
}

const INIT: u8 = 1;
const VERSION: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const RMDIR: u8 = 15;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const READLINK: u8 = 19;
const SYMLINK: u8 = 20;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED: u8 = 200;
const EXTENDED_REPLY: u8 = 201;

/// How much of a message is looked at, by its sort; all of the others, up to the bound of a frame.
fn keeps(sort: u8) -> Option<usize> {
    match sort {
        // Sort, number, handle, offset, and how much there is.
        WRITE => Some(1 + 4 + 4 + LONGEST_HANDLE + 8 + 4),
        DATA => Some(1 + 4 + 4),
        NAME | ATTRS | EXTENDED_REPLY => Some(1 + 4),
        _ => None,
    }
}

/// The beginning of a message, taken apart.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn number(&mut self) -> Result<u32, Lost> {
        let (number, rest) = self.0.split_first_chunk::<4>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn string(&mut self, most: usize) -> Result<&'a [u8], Lost> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > most {
            return Err(Lost("a name or a handle is too long"));
        }
        let (string, rest) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok(string)
    }

    fn path(&mut self) -> Result<String, Lost> {
        self.string(LONGEST_PATH).map(|path| String::from_utf8_lossy(path).into_owned())
    }

    fn handle(&mut self) -> Result<Vec<u8>, Lost> {
        self.string(LONGEST_HANDLE).map(<[u8]>::to_vec)
    }
}

/// What opening a file with these flags is for (section 6.3).
fn deeds(flags: u32) -> Vec<FileDeed> {
    let reads = flags & 1 != 0;
    // To write, append, create, empty.
    let writes = flags & 0b1_1110 != 0;
    [(reads, FileDeed::Read), (writes, FileDeed::Write)]
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, deed)| deed)
        .collect()
}

impl Talk {
    fn asks(&mut self, frame: Frame<'_>) -> Result<(), Lost> {
        let mut rest = Rest(frame.head);
        if frame.sort == INIT {
            return version(rest.number()?, Says::AtLeast);
        }
        let number = rest.number()?;
        let deed = |deed, path| Asked::Deed { deed, path, to: None };
        let asked = match frame.sort {
            OPEN => {
                let path = rest.path()?;
                Asked::Open { path, deeds: deeds(rest.number()?) }
            }
            CLOSE => Asked::Close { handle: rest.handle()? },
            READ => Asked::Read { handle: rest.handle()? },
            WRITE => {
                let handle = rest.handle()?;
                // Where, in eight bytes.
                rest.number()?;
                rest.number()?;
                Asked::Write { handle, bytes: rest.number()?.into() }
            }
            SETSTAT => deed(FileDeed::Change, rest.path()?),
            FSETSTAT => deed(FileDeed::Change, self.path_of(&rest.handle()?)?),
            OPENDIR => Asked::Folder { path: rest.path()? },
            REMOVE => deed(FileDeed::Remove, rest.path()?),
            MKDIR => deed(FileDeed::MakeFolder, rest.path()?),
            RMDIR => deed(FileDeed::RemoveFolder, rest.path()?),
            RENAME => {
                let path = rest.path()?;
                Asked::Deed { deed: FileDeed::Rename, path, to: Some(rest.path()?) }
            }
            // What it points to stands first with OpenSSH, whatever the draft says.
            SYMLINK => linked(&mut rest)?,
            LSTAT | FSTAT | READDIR | REALPATH | STAT | READLINK => Asked::Question,
            EXTENDED => extended(&mut rest)?,
            _ => return Err(Lost("a request is of no known sort")),
        };
        self.keep(asked.kept())?;
        if self.asked.len() >= MOST_OPEN {
            return Err(Lost("too many requests wait for an answer"));
        }
        match self.asked.insert(number, asked) {
            None => Ok(()),
            Some(_) => Err(Lost("two requests have one number")),
        }
    }

    fn keep(&mut self, bytes: usize) -> Result<(), Lost> {
        self.kept = self.kept.saturating_add(bytes);
        if self.kept > MOST_KEPT { Err(Lost("too many names are under way at once")) } else { Ok(()) }
    }

    fn path_of(&self, handle: &[u8]) -> Result<String, Lost> {
        // A handle of which nothing is known is the host's to refuse.
        Ok(self.open.get(handle).map_or_else(|| "?".to_owned(), |file| file.path.clone()))
    }

    fn answers(&mut self, channel: u32, frame: Frame<'_>, events: &mut Vec<Event<'static>>) -> Result<(), Lost> {
        let mut rest = Rest(frame.head);
        if frame.sort == VERSION {
            return version(rest.number()?, Says::Exactly);
        }
        let number = rest.number()?;
        let asked = self.asked.remove(&number).ok_or(Lost("something is answered that was not asked"))?;
        self.kept = self.kept.saturating_sub(asked.kept());
        match frame.sort {
            STATUS => {
                let did = rest.number()? == 0;
                self.status(channel, asked, did, events);
            }
            HANDLE => self.opened(channel, asked, rest.handle()?, events)?,
            DATA => {
                let bytes = u64::from(rest.number()?);
                if let Asked::Read { handle } = asked
                    && let Some(file) = self.open.get_mut(&handle)
                {
                    file.read = file.read.saturating_add(bytes);
                }
            }
            NAME | ATTRS => {}
            EXTENDED_REPLY => {
                if let Asked::Strange { name } = asked {
                    events.push(strange(channel, &name));
                }
            }
            _ => return Err(Lost("an answer is of no known sort")),
        }
        Ok(())
    }

    /// The host did it, or says that it did not.
    fn status(&mut self, channel: u32, asked: Asked, did: bool, events: &mut Vec<Event<'static>>) {
        let tried = |deed, path: String| Event::Tried { channel, deed, path: path.into() };
        match asked {
            Asked::Deed { deed, path, to } if did => {
                events.push(Event::File { channel, deed, path: path.into(), to: to.map(Into::into) });
            }
            Asked::Deed { deed, path, .. } => events.push(tried(deed, path)),
            Asked::Open { path, deeds } => events.extend(deeds.into_iter().map(|deed| tried(deed, path.clone()))),
            Asked::Folder { path } => events.push(tried(FileDeed::List, path)),
            Asked::Write { handle, bytes } => {
                if let Some(file) = self.open.get_mut(&handle).filter(|_| did) {
                    file.written = file.written.saturating_add(bytes);
                }
            }
            // Closed it is, whatever came of it.
            Asked::Close { handle } => {
                if let Some(file) = self.open.remove(&handle) {
                    self.kept = self.kept.saturating_sub(handle.len() + file.path.len());
                    if !file.is_folder {
                        events.push(file.transferred(channel));
                    }
                }
            }
            Asked::Strange { name } if did => events.push(strange(channel, &name)),
            Asked::Strange { .. } | Asked::Read { .. } | Asked::Question => {}
        }
    }

    /// The host opened it.
    fn opened(
        &mut self,
        channel: u32,
        asked: Asked,
        handle: Vec<u8>,
        events: &mut Vec<Event<'static>>,
    ) -> Result<(), Lost> {
        let deed = |deed, path: &str| Event::File { channel, deed, path: path.to_owned().into(), to: None };
        let file = match asked {
            Asked::Open { path, deeds } => {
                events.extend(deeds.into_iter().map(|done| deed(done, &path)));
                File::new(path)
            }
            Asked::Folder { path } => {
                events.push(deed(FileDeed::List, &path));
                File { is_folder: true, ..File::new(path) }
            }
            Asked::Close { .. }
            | Asked::Read { .. }
            | Asked::Write { .. }
            | Asked::Deed { .. }
            | Asked::Question
            | Asked::Strange { .. } => return Err(Lost("a handle was given that was not asked for")),
        };
        self.keep(handle.len() + file.path.len())?;
        if self.open.len() >= MOST_OPEN {
            return Err(Lost("too many files are open"));
        }
        match self.open.insert(handle, file) {
            None => Ok(()),
            Some(_) => Err(Lost("one handle stands for two files")),
        }
    }
}

impl Asked {
    /// What it takes while it waits.
    fn kept(&self) -> usize {
        match self {
            Self::Open { path, .. } | Self::Folder { path } | Self::Strange { name: path } => path.len(),
            Self::Close { handle } | Self::Read { handle } | Self::Write { handle, .. } => handle.len(),
            Self::Deed { path, to, .. } => path.len() + to.as_ref().map_or(0, String::len),
            Self::Question => 0,
        }
    }
}

enum Says {
    AtLeast,
    Exactly,
}

/// A client says what it has up to, the host what it is going to be.
fn version(number: u32, says: Says) -> Result<(), Lost> {
    let fits = match says {
        Says::AtLeast => number >= 3,
        Says::Exactly => number == 3,
    };
    if fits { Ok(()) } else { Err(Lost("it is not version 3")) }
}

fn linked(rest: &mut Rest<'_>) -> Result<Asked, Lost> {
    let to = rest.path()?;
    Ok(Asked::Deed { deed: FileDeed::Link, path: rest.path()?, to: Some(to) })
}

/// OpenSSH's (PROTOCOL, section 4).
fn extended(rest: &mut Rest<'_>) -> Result<Asked, Lost> {
    let name = rest.string(LONGEST_HANDLE)?;
    Ok(match name {
        b"posix-rename@openssh.com" => {
            let path = rest.path()?;
            Asked::Deed { deed: FileDeed::Rename, path, to: Some(rest.path()?) }
        }
        b"hardlink@openssh.com" => linked(rest)?,
        b"lsetstat@openssh.com" => Asked::Deed { deed: FileDeed::Change, path: rest.path()?, to: None },
        b"statvfs@openssh.com"
        | b"fstatvfs@openssh.com"
        | b"fsync@openssh.com"
        | b"limits@openssh.com"
        | b"expand-path@openssh.com"
        | b"home-directory"
        | b"users-groups-by-id@openssh.com"
        // From one file that is open to another.
        | b"copy-data" => Asked::Question,
        name => Asked::Strange { name: String::from_utf8_lossy(name).into_owned() },
    })
}

fn strange(channel: u32, name: &str) -> Event<'static> {
    let name: String = name.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect();
    Event::Unclear { channel, why: format!("the host did what `{name}` asks for, which is not known here").into() }
}

#[cfg(test)]
mod tests;
