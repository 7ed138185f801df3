//! A real OpenLDAP server on loopback: plain, TLS and StartTLS, people and groups of every usual class.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::process::ServerProcess;
use crate::tls::ServerCertificate;
use crate::wait::wait_until;
use crate::{folder, port, program};

const PATIENCE: Duration = Duration::from_secs(60);
/// The suffix of everything in it.
const SUFFIX: &str = "dc=example,dc=org";
const ROOT_PASSWORD: &str = "the directory's own root";
const CONNECTOR_PASSWORD: &str = "the connector's own";
/// The password of everybody else.
const PASSWORD: &str = "a person's own";

/// Who may do what: the connector changes members and reads, a member of `admins` reads what is theirs, and
/// everybody reads who is who.
const ACCESS: &str = "\
access to attrs=userPassword by anonymous auth by * none
access to attrs=member,uniqueMember,memberUid by dn.exact=\"cn=wane,dc=example,dc=org\" write by users read
access to dn.subtree=\"ou=secrets,dc=example,dc=org\" by group/groupOfNames/member=\"cn=admins,ou=groups,dc=example,dc=org\" read by * none
access to * by users read
";

/// Settings beyond the usual.
#[derive(Debug, Clone, Default)]
pub struct SlapdBuilder {
    lines: Vec<String>,
}

impl SlapdBuilder {
    /// One more line of the database's configuration.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Makes a server of its own and waits until it answers.
    pub fn start(self) -> Result<Slapd> {
        let folder = folder::throw_away("wane-slapd-")?;
        let tls = ServerCertificate::generate(folder.path())?;
        let data = folder.path().join("data");
        fs::create_dir_all(&data)?;
        let mut conf = String::new();
        for schema in ["core", "cosine", "inetorgperson", "nis"] {
            writeln!(conf, "include /etc/ldap/schema/{schema}.schema")?;
        }
        writeln!(conf, "modulepath /usr/lib/ldap")?;
        for module in ["back_mdb", "memberof", "ppolicy", "refint", "syncprov"] {
            writeln!(conf, "moduleload {module}")?;
        }
        writeln!(conf, "pidfile {}", folder.path().join("pid").display())?;
        writeln!(conf, "TLSCertificateFile {}", tls.certificate_path().display())?;
        writeln!(conf, "TLSCertificateKeyFile {}", tls.key_path().display())?;
        writeln!(conf, "database mdb\nsuffix \"{SUFFIX}\"\nrootdn \"cn=root,{SUFFIX}\"\nrootpw \"{ROOT_PASSWORD}\"")?;
        writeln!(
            conf,
            "directory {}\nmaxsize 104857600\ndbnosync\nindex objectClass,entryUUID,uid eq",
            data.display()
        )?;
        conf.push_str(ACCESS);
        for line in &self.lines {
            writeln!(conf, "{line}")?;
        }
        fs::write(folder.path().join("slapd.conf"), conf)?;
        let mut server = Slapd { process: None, plain: port::free_port()?, secure: port::free_port()?, tls, folder };
        server.resume()?;
        server.fill()?;
        Ok(server)
    }
}

/// A running directory. It ends with this value.
#[derive(Debug)]
pub struct Slapd {
    // First, so that the process ends before its folder goes.
    process: Option<ServerProcess>,
    plain: u16,
    secure: u16,
    tls: ServerCertificate,
    folder: TempDir,
}

impl Slapd {
    /// Settings to change before the start.
    #[must_use]
    pub fn builder() -> SlapdBuilder {
        SlapdBuilder::default()
    }

    /// The port without TLS, or for StartTLS.
    #[must_use]
    pub fn plain_port(&self) -> u16 {
        self.plain
    }

    /// The port of LDAPS.
    #[must_use]
    pub fn secure_port(&self) -> u16 {
        self.secure
    }

    /// The authority that signed its certificate.
    pub fn ca_pem(&self) -> Result<String> {
        Ok(fs::read_to_string(self.tls.ca_path())?)
    }

    /// The password of `cn=wane`.
    #[must_use]
    pub fn connector_password(&self) -> &'static str {
        CONNECTOR_PASSWORD
    }

    /// Starts it again: same ports, same entries.
    pub fn resume(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the directory is running already");
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let mut command = Command::new("/usr/sbin/slapd");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/bin").env("HOME", self.folder.path());
        command.args(["-d", "0", "-f"]).arg(self.folder.path().join("slapd.conf"));
        command.arg("-h").arg(format!("ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/", self.plain, self.secure));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = self.process.insert(ServerProcess::spawn("slapd", &mut command, Signal::SIGTERM)?);
        let mut died = None;
        let waited = wait_until("the directory to answer", PATIENCE, || {
            died = process.exited();
            died.is_some() || (port::listens(self.plain) && port::listens(self.secure))
        });
        if let Some(status) = died {
            self.process = None;
            bail!(
                "slapd ended with {status}: {}",
                fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            );
        }
        waited
    }

    /// Ends it; its entries stay.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.end(Signal::SIGTERM),
            None => Ok(()),
        }
    }

    /// Lets it answer nothing until [`Slapd::thaw`].
    pub fn freeze(&self) -> Result<()> {
        self.process.as_ref().context("it is not running")?.freeze()
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<()> {
        self.process.as_ref().context("it is not running")?.signal(Signal::SIGCONT)
    }

    /// Runs LDIF changes as the directory's own root.
    pub fn modify(&self, ldif: &str) -> Result<()> {
        let mut command = self.client("ldapmodify", &format!("cn=root,{SUFFIX}"), ROOT_PASSWORD);
        program::run(&mut command, ldif, PATIENCE)?.into_stdout().map(drop).context("ldapmodify")
    }

    /// Adds the entries of an LDIF.
    pub fn add(&self, ldif: &str) -> Result<()> {
        let mut command = self.client("ldapmodify", &format!("cn=root,{SUFFIX}"), ROOT_PASSWORD);
        command.arg("-a");
        program::run(&mut command, ldif, PATIENCE)?.into_stdout().map(drop).context("ldapmodify -a")
    }

    /// Adds a person with this `uid`, base64-coded where it has to be.
    pub fn person(&self, rdn: &str, uid: &str) -> Result<()> {
        let coded = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
        self.add(&format!(
            "dn:: {}\nobjectClass: inetOrgPerson\nuid:: {}\ncn: Somebody\nsn: Somebody\nuserPassword: {PASSWORD}\n",
            coded(&format!("{rdn},ou=people,{SUFFIX}")),
            coded(uid),
        ))
    }

    /// The values of an attribute of one entry, in order.
    pub fn values(&self, dn: &str, attribute: &str) -> Result<Vec<String>> {
        let mut command = self.client("ldapsearch", &format!("cn=root,{SUFFIX}"), ROOT_PASSWORD);
        command.args(["-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", dn, "(objectClass=*)", attribute]);
        let said = program::run(&mut command, "", PATIENCE)?.into_stdout()?;
        let mut all = Vec::new();
        for line in said.lines() {
            if let Some(coded) = line.strip_prefix(&format!("{attribute}:: ")) {
                all.push(String::from_utf8(data_encoding::BASE64.decode(coded.as_bytes())?)?);
            } else if let Some(plain) = line.strip_prefix(&format!("{attribute}: ")) {
                all.push(plain.to_owned());
            }
        }
        all.sort();
        Ok(all)
    }

    /// Whether a person, by the name of their entry, reads what only `admins` may.
    pub fn reads_secrets(&self, dn: &str) -> Result<bool> {
        let mut command = self.client("ldapsearch", dn, PASSWORD);
        command.args(["-LLL", "-s", "base", "-b", &format!("cn=plan,ou=secrets,{SUFFIX}"), "description"]);
        let said = program::run(&mut command, "", PATIENCE)?;
        Ok(said.success() && said.stdout.contains("description: of the year"))
    }

    fn client(&self, name: &str, who: &str, password: &str) -> Command {
        let mut command = Command::new(name);
        command.env("LDAPNOINIT", "1").args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.plain)]);
        command.args(["-D", who, "-w", password]);
        command
    }

    fn fill(&self) -> Result<()> {
        self.add(&format!(
            "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\n\
             dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\n\n\
             dn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\n\n\
             dn: ou=secrets,{SUFFIX}\nobjectClass: organizationalUnit\n\n\
             dn: cn=plan,ou=secrets,{SUFFIX}\nobjectClass: device\ndescription: of the year\n\n\
             dn: cn=wane,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\nuserPassword: {CONNECTOR_PASSWORD}\n\n\
             dn: cn=nobody,{SUFFIX}\nobjectClass: organizationalRole\n\n\
             dn: uid=keeper,ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: Keeper\nsn: Keeper\n\n\
             dn: cn=admins,ou=groups,{SUFFIX}\nobjectClass: groupOfNames\nmember: uid=keeper,ou=people,{SUFFIX}\n\n\
             dn: cn=unique,ou=groups,{SUFFIX}\nobjectClass: groupOfUniqueNames\nuniqueMember: uid=keeper,ou=people,{SUFFIX}\n\n\
             dn: cn=posix,ou=groups,{SUFFIX}\nobjectClass: posixGroup\ngidNumber: 5000\n"
        ))
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
