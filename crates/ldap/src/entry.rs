//! An entry as a server told it, and what tells it from another of the same name.

use std::fmt;

use ldap3::SearchEntry;

/// The attributes that say which entry it is, whatever it is called: RFC 4530, and MS-ADTS 3.1.1.1.4.
pub const IDS: [&str; 2] = ["entryUUID", "objectGUID"];

/// Which entry it is, for as long as it lives and whatever it is renamed to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(String);

impl EntryId {
    /// Reads what [`fmt::Display`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sort, rest) = text.split_once('=')?;
        let plain = |c: char| c.is_ascii_hexdigit() || c == '-';
        (IDS.contains(&sort) && !rest.is_empty() && rest.chars().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The entry of this `entryUUID` (RFC 4530), in its sixteen bytes.
    pub(crate) fn of_uuid(uuid: &[u8]) -> Option<Self> {
        let hex = data_encoding::HEXLOWER.encode(uuid);
        let part = |from: usize, to: usize| hex.get(from..to);
        let parts = [part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?];
        (uuid.len() == 16).then(|| Self(format!("{}={}", IDS[0], parts.join("-"))))
    }

    /// A filter that only this entry meets.
    #[must_use]
    pub fn filter(&self) -> String {
        match self.0.split_once('=') {
            // An octet string is written byte by byte.
            Some((sort, hex)) if sort == IDS[1] => {
                let bytes: String =
                    hex.as_bytes().chunks(2).map(|pair| format!("\\{}", String::from_utf8_lossy(pair))).collect();
                format!("({sort}={bytes})")
            }
            Some(_) | None => format!("({})", self.0),
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name, as the server writes it.
    pub dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    pub(crate) fn of(found: SearchEntry) -> Self {
        let text = found.attrs.into_iter().map(|(name, all)| (name, all.into_iter().map(String::into_bytes).collect()));
        Self { dn: found.dn, attributes: text.chain(found.bin_attrs).collect() }
    }

    /// The values of an attribute, whatever case the server writes its name in.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let of = self.attributes.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name));
        of.flat_map(|(_, all)| all.iter().map(Vec::as_slice))
    }

    /// The values of an attribute that are text.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The one value of an attribute; nothing if there are more.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&str> {
        let mut all = self.texts(name);
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }

    /// Whether it is of a class.
    #[must_use]
    pub fn is_a(&self, class: &str) -> bool {
        self.texts("objectClass").any(|is| is.eq_ignore_ascii_case(class))
    }

    /// The rest of an attribute of which the server tells a range only: where the next begins (MS-ADTS 3.1.1.3.1.3.3).
    #[must_use]
    pub fn next_range(&self, name: &str) -> Option<(Vec<&str>, Option<usize>)> {
        self.attributes.iter().find_map(|(full, all)| {
            let (attribute, range) = full.split_once(';')?;
            let range = range.to_ascii_lowercase();
            let (_, last) = range.strip_prefix("range=")?.split_once('-')?;
            if !attribute.eq_ignore_ascii_case(name) {
                return None;
            }
            let next = last.parse::<usize>().ok().map(|last| last.saturating_add(1));
            Some((all.iter().filter_map(|v| std::str::from_utf8(v).ok()).collect(), next))
        })
    }

    /// Which entry it is.
    #[must_use]
    pub fn id(&self) -> Option<EntryId> {
        let [text, octets] = IDS;
        if let Some(uuid) = self.only(text) {
            return EntryId::parse(&format!("{text}={}", uuid.to_ascii_lowercase()));
        }
        let guid = self.values(octets).next().filter(|guid| guid.len() == 16)?;
        EntryId::parse(&format!("{octets}={}", data_encoding::HEXLOWER.encode(guid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&[u8]])]) -> Entry {
        let attributes =
            attributes.iter().map(|(n, all)| ((*n).to_owned(), all.iter().map(|v| v.to_vec()).collect())).collect();
        Entry { dn: "cn=x".to_owned(), attributes }
    }

    fn id_text(uuid: &[u8]) -> String {
        format!("entryUUID={}", String::from_utf8_lossy(uuid).to_ascii_lowercase())
    }

    #[test]
    fn an_entry_is_told_by_what_does_not_change() {
        let uuid: &[u8] = b"0A0A7D5C-3b1c-103f-8a52-0123456789ab";
        let id = entry(&[("ENTRYUUID", &[uuid])]).id().unwrap();
        assert_eq!(id.filter(), "(entryUUID=0a0a7d5c-3b1c-103f-8a52-0123456789ab)");
        assert_eq!(EntryId::parse(&id.to_string()), Some(id));
        let bytes = data_encoding::HEXLOWER.decode(b"0a0a7d5c3b1c103f8a520123456789ab").unwrap();
        assert_eq!(EntryId::of_uuid(&bytes).as_ref(), EntryId::parse(&id_text(uuid)).as_ref());
        assert!([&bytes[..15], &[], &[0; 17]].iter().all(|short| EntryId::of_uuid(short).is_none()));
        let guid: Vec<u8> = (0..16).collect();
        let id = entry(&[("objectGUID", &[&guid])]).id().unwrap();
        assert_eq!(id.filter(), "(objectGUID=\\00\\01\\02\\03\\04\\05\\06\\07\\08\\09\\0a\\0b\\0c\\0d\\0e\\0f)");
        for no in [entry(&[]), entry(&[("entryUUID", &[b"*"])]), entry(&[("objectGUID", &[b"short"])])] {
            assert_eq!(no.id(), None);
        }
        for hostile in ["entryUUID=*", "entryUUID=", "uid=abc", "entryUUID=a)(b", "x"] {
            assert_eq!(EntryId::parse(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn a_range_says_where_it_goes_on() {
        let part = entry(&[("member;range=0-1", &[b"cn=a", b"cn=b"])]);
        assert_eq!(part.next_range("member"), Some((vec!["cn=a", "cn=b"], Some(2))));
        let last = entry(&[("member;Range=2-*", &[b"cn=c"])]);
        assert_eq!(last.next_range("member"), Some((vec!["cn=c"], None)));
        assert_eq!(entry(&[("member", &[b"cn=c"])]).next_range("member"), None);
    }
}
