//! A throw-away certificate authority and one server certificate for loopback, made by `openssl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::program;

const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate for `localhost` and `127.0.0.1`, signed by an authority made for it alone.
#[derive(Debug, Clone)]
pub struct ServerCertificate {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl ServerCertificate {
    /// Writes `ca.pem`, `server.pem` and `server.key` into `folder`.
    ///
    /// The server's certificate is not its own authority: strict verifiers refuse one that is.
    pub fn generate(folder: &Path) -> Result<Self> {
        Self::generate_for(folder, &["localhost", "127.0.0.1"])
    }

    /// The same for other names, and addresses.
    pub fn generate_for(folder: &Path, names: &[&str]) -> Result<Self> {
        let made =
            Self { ca: folder.join("ca.pem"), certificate: folder.join("server.pem"), key: folder.join("server.key") };
        let ca_key = folder.join("ca.key");
        let mut authority = request("/CN=throw-away test authority", &ca_key, &made.ca);
        authority.args(["-addext", "basicConstraints=critical,CA:TRUE"]);
        authority.args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        openssl(&mut authority)?;

        let mut server = request("/CN=localhost", &made.key, &made.certificate);
        server.arg("-CA").arg(&made.ca).arg("-CAkey").arg(&ca_key);
        server.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        let sort = |name: &&str| if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
        let names: Vec<String> = names.iter().map(|name| format!("{}:{name}", sort(name))).collect();
        server.arg("-addext").arg(format!("subjectAltName={}", names.join(",")));
        server.args(["-addext", "extendedKeyUsage=serverAuth"]);
        openssl(&mut server)?;
        fs::remove_file(&ca_key).context("cannot forget the authority's key")?;
        Ok(made)
    }

    /// The authority's certificate, PEM.
    pub fn ca_path(&self) -> &Path {
        &self.ca
    }

    /// The server's certificate, PEM.
    pub fn certificate_path(&self) -> &Path {
        &self.certificate
    }

    /// The server's private key, PEM, PKCS#8.
    pub fn key_path(&self) -> &Path {
        &self.key
    }
}

fn request(subject: &str, key: &Path, out: &Path) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-nodes", "-days", "30", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", subject])
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(out);
    command
}

fn openssl(command: &mut Command) -> Result<()> {
    program::run(command, "", PATIENCE)?.into_stdout().context("openssl could not make a certificate")?;
    Ok(())
}
