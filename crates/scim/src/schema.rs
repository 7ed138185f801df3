//! The attributes that are kept, as data: what reads, patches, filters and describes resources follows it.

/// The core schema of a person.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core schema of a group.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The extension of people in companies.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A person.
    User,
    /// A group.
    Group,
}

impl ResourceKind {
    /// Its core schema.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The last part of its address.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    /// The attributes of its core schema.
    #[must_use]
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::User => USER_ATTRIBUTES,
            Self::Group => GROUP_ATTRIBUTES,
        }
    }

    /// Its extension with the attributes there.
    #[must_use]
    pub const fn extension(self) -> Option<(&'static str, &'static [Attribute])> {
        match self {
            Self::User => Some((ENTERPRISE, ENTERPRISE_ATTRIBUTES)),
            Self::Group => None,
        }
    }
}

/// An attribute (RFC 7643 section 7).
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its one spelling.
    pub name: &'static str,
    /// What it holds.
    pub what: What,
    /// How many values.
    pub count: Count,
    /// Whether a resource needs it.
    pub needed: Needed,
    /// Whether case tells two values apart.
    pub case: Case,
    /// Who may change it.
    pub change: Change,
    /// The values it has, where they are a closed list.
    pub words: &'static [&'static str],
    /// What it is.
    pub about: &'static str,
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// Text.
    Text,
    /// True or false.
    Flag,
    /// An address of something.
    Reference(&'static [&'static str]),
    /// Attributes of its own.
    Complex(&'static [Attribute]),
}

/// How many values an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are words")]
pub enum Count {
    One,
    Many,
}

/// Whether a resource needs an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are words")]
pub enum Needed {
    Yes,
    No,
}

/// Whether case tells two values apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are words")]
pub enum Case {
    Matters,
    Ignored,
}

/// Who may change an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are words")]
pub enum Change {
    ReadWrite,
    Immutable,
    ReadOnly,
}

impl Attribute {
    const fn of(name: &'static str, what: What, about: &'static str) -> Self {
        Self {
            name,
            what,
            count: Count::One,
            needed: Needed::No,
            case: Case::Ignored,
            change: Change::ReadWrite,
            words: &[],
            about,
        }
    }

    const fn many(self) -> Self {
        Self { count: Count::Many, ..self }
    }

    const fn needed(self) -> Self {
        Self { needed: Needed::Yes, ..self }
    }

    const fn exact(self) -> Self {
        Self { case: Case::Matters, ..self }
    }

    const fn changes(self, change: Change) -> Self {
        Self { change, ..self }
    }

    /// Its own attribute of a name, whatever its case.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<&'static Self> {
        match self.what {
            What::Complex(subs) => find(subs, name),
            What::Text | What::Flag | What::Reference(_) => None,
        }
    }
}

/// The attribute of a name, whatever its case (RFC 7643 section 2.1).
#[must_use]
pub fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|one| one.name.eq_ignore_ascii_case(name))
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    Attribute::of(name, What::Text, about)
}

const fn flag(name: &'static str, about: &'static str) -> Attribute {
    Attribute::of(name, What::Flag, about)
}

const fn complex(name: &'static str, subs: &'static [Attribute], about: &'static str) -> Attribute {
    Attribute::of(name, What::Complex(subs), about)
}

const fn reference(name: &'static str, to: &'static [&'static str], about: &'static str) -> Attribute {
    Attribute::of(name, What::Reference(to), about).exact()
}

const TYPE: Attribute = text("type", "What it is for, such as `work`.");
const PRIMARY: Attribute = flag("primary", "Whether it is the one to use.");
const DISPLAY: Attribute = text("display", "What people read.");

const VALUES: &[Attribute] = &[text("value", "The value."), DISPLAY, TYPE, PRIMARY];
const PICTURES: &[Attribute] = &[reference("value", &["external"], "Where it is."), DISPLAY, TYPE, PRIMARY];
const PLACES: &[Attribute] = &[
    text("formatted", "All of it."),
    text("streetAddress", "Street and house."),
    text("locality", "Town."),
    text("region", "State or region."),
    text("postalCode", "Postal code."),
    text("country", "Country."),
    TYPE,
    PRIMARY,
];
const NAMES: &[Attribute] = &[
    text("formatted", "The whole name."),
    text("familyName", "The family name."),
    text("givenName", "The given name."),
    text("middleName", "Middle names."),
    text("honorificPrefix", "What stands before it."),
    text("honorificSuffix", "What stands behind it."),
];
const GROUPS_OF: &[Attribute] = &[
    text("value", "Which group.").changes(Change::ReadOnly),
    reference("$ref", &["Group"], "Where it is.").changes(Change::ReadOnly),
    DISPLAY.changes(Change::ReadOnly),
];
const MANAGER: &[Attribute] = &[
    text("value", "The id of the manager.").exact(),
    reference("$ref", &["User"], "Where the manager is."),
    text("displayName", "What people read.").changes(Change::ReadOnly),
];
const MEMBERS: &[Attribute] = &[
    text("value", "The id of the member.").exact().changes(Change::Immutable),
    reference("$ref", &["User"], "Where the member is.").changes(Change::Immutable),
    Attribute { words: &["User"], ..text("type", "What the member is.").changes(Change::Immutable) },
];

const USER_ATTRIBUTES: &[Attribute] = &[
    text("userName", "What the person signs in as.").needed(),
    complex("name", NAMES, "The parts of the name."),
    text("displayName", "The name people read."),
    text("nickName", "What friends say."),
    reference("profileUrl", &["external"], "A page about the person."),
    text("title", "What they are."),
    text("userType", "How they are employed."),
    text("preferredLanguage", "The language they read."),
    text("locale", "How dates and numbers are written for them."),
    text("timezone", "Where they are, in time."),
    flag("active", "Whether they may do anything; `false` ends all they hold."),
    complex("emails", VALUES, "Mail addresses. Nobody is known by them.").many(),
    complex("phoneNumbers", VALUES, "Telephone numbers.").many(),
    complex("ims", VALUES, "Addresses for messages.").many(),
    complex("photos", PICTURES, "Pictures.").many(),
    complex("addresses", PLACES, "Postal addresses.").many(),
    complex("groups", GROUPS_OF, "The groups of this directory they are in.").many().changes(Change::ReadOnly),
    complex("entitlements", VALUES, "What they are entitled to elsewhere; means nothing here.").many(),
    complex("roles", VALUES, "What they are elsewhere; means nothing here unless it is mapped.").many(),
];

const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    text("employeeNumber", "The company's number for them."),
    text("costCenter", "Who pays."),
    text("organization", "The organisation."),
    text("division", "The division."),
    text("department", "The department."),
    complex("manager", MANAGER, "Who manages them."),
];

const GROUP_ATTRIBUTES: &[Attribute] = &[
    text("displayName", "What the group is called.").exact().needed(),
    complex("members", MEMBERS, "Who is in it: people of this directory.").many(),
];

const META: &[Attribute] = &[
    text("resourceType", "What it is.").exact().changes(Change::ReadOnly),
    text("created", "Since when.").exact().changes(Change::ReadOnly),
    text("lastModified", "When it was changed.").exact().changes(Change::ReadOnly),
    text("location", "Where it is.").exact().changes(Change::ReadOnly),
    text("version", "Which state it is in.").exact().changes(Change::ReadOnly),
];

/// What every resource has (RFC 7643 section 3.1).
pub const COMMON: &[Attribute] = &[
    text("id", "Which.").exact().changes(Change::ReadOnly),
    text("externalId", "What the directory calls it.").exact(),
    complex("meta", META, "About the resource itself.").changes(Change::ReadOnly),
];
