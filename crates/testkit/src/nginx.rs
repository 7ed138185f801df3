//! A real nginx that takes clients by their certificates and reads its revocation list when it is told to, or asks about
//! each call.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::port::{free_port, listens};
use crate::wait::wait_until;

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Nginx {
    /// Starts one in a folder. `pair` holds `cert.pem` and `key.pem`, `trust` and `crl` are what its clients are judged by.
    pub fn start(folder: &Path, pair: &Path, trust: &Path, crl: &Path) -> Result<Self> {
        let port = free_port()?;
        let (pair, trust, crl) = (pair.display(), trust.display(), crl.display());
        let server = format!(
            "listen 127.0.0.1:{port} ssl;\n\
             ssl_certificate {pair}/cert.pem;\nssl_certificate_key {pair}/key.pem;\nssl_client_certificate {trust};\n\
             ssl_crl {crl};\nssl_verify_client on;\nssl_verify_depth 3;\nssl_session_cache off;\nssl_session_tickets off;\n\
             location / {{ return 200 \"hello $ssl_client_s_dn\\n\"; }}\n"
        );
        Self::run(folder, port, &server)
    }

    /// Starts one in a folder that asks `check` about each call (`auth_request`), as the resource server with this
    /// credential. It answers `/` at once, and `/slow` for minutes.
    pub fn asking(folder: &Path, check: &str, credential: &str) -> Result<Self> {
        let port = free_port()?;
        let www = folder.join("www");
        fs::create_dir(&www)?;
        // Whoever serves is nobody, and temporary folders are for their owners.
        for path in [folder, &www] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(www.join("hello"), "hello\n")?;
        fs::write(www.join("long"), vec![b'x'; 16 << 20])?;
        let server = format!(
            "listen 127.0.0.1:{port};\nroot {www};\n\
             auth_request /_check;\nauth_request_set $holder $upstream_http_wane_holder;\nadd_header Holder $holder;\n\
             location / {{ try_files /hello =404; }}\n\
             location /slow {{ limit_rate 64k; try_files /long =404; }}\n\
             location = /_check {{ internal; auth_request off; proxy_pass {check};\nproxy_pass_request_body off;\n\
             proxy_set_header Content-Length \"\";\nproxy_set_header Wane-Server \"{credential}\";\n\
             proxy_set_header Wane-Method $request_method;\nproxy_set_header Wane-Url \"http://api.example$request_uri\";\n}}\n",
            www = www.display(),
        );
        Self::run(folder, port, &server)
    }

    /// Starts one in a folder as an application over TLS that takes nobody without a client certificate by `trust`: it says
    /// who that is and for which host it was asked, has a file of 1 MiB at `/file`, one that takes minutes at `/slow`, and whatever is put into `www/files` of the folder.
    pub fn application(folder: &Path, pair: (&Path, &Path), trust: &Path) -> Result<Self> {
        let port = free_port()?;
        let www = folder.join("www");
        fs::create_dir(&www)?;
        for path in [folder, &www] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(www.join("file"), vec![b'f'; 1 << 20])?;
        fs::write(www.join("slow"), vec![b's'; 16 << 20])?;
        let (cert, key) = (pair.0.display(), pair.1.display());
        let server = format!(
            "listen 127.0.0.1:{port} ssl;\nroot {www};\n\
             ssl_certificate {cert};\nssl_certificate_key {key};\nssl_client_certificate {trust};\nssl_verify_client on;\n\
             location / {{ return 200 \"hello $ssl_client_s_dn at $http_host by $http_x_forwarded_proto\\n\"; }}\n\
             location /file {{ }}\nlocation /slow {{ limit_rate 64k; }}\nlocation /files/ {{ }}\nlocation /moved {{ return 301 /file; }}\n\
             location /gone {{ return 410; }}\n",
            www = www.display(),
            trust = trust.display(),
        );
        Self::run(folder, port, &server)
    }

    /// Starts one in a folder as a proxy over TLS to an application on this machine, in as many processes as there are cores:
    /// connections to it stay open, and WebSockets pass.
    pub fn proxy(folder: &Path, pair: (&Path, &Path), upstream: u16, cores: usize) -> Result<Self> {
        let port = free_port()?;
        let (cert, key) = (pair.0.display(), pair.1.display());
        let server = format!(
            "listen 127.0.0.1:{port} ssl http2;\nssl_certificate {cert};\nssl_certificate_key {key};\nssl_protocols TLSv1.3;\n\
             keepalive_requests 10000000;\n\
             location / {{ proxy_pass http://application;\nproxy_http_version 1.1;\nproxy_buffering off;\n\
             proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection $wanted;\n\
             proxy_set_header Host $host;\n}}\n"
        );
        let before = format!(
            "upstream application {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 10000000; }}\n\
             map $http_upgrade $wanted {{ default upgrade; '' ''; }}\n"
        );
        Self::configured(folder, port, (&before, &server), cores)
    }

    fn run(folder: &Path, port: u16, server: &str) -> Result<Self> {
        Self::configured(folder, port, ("", server), 1)
    }

    fn configured(folder: &Path, port: u16, (before, server): (&str, &str), workers: usize) -> Result<Self> {
        let at = folder.display();
        let lines = format!(
            "daemon off;\nmaster_process on;\nworker_processes {workers};\npid {at}/nginx.pid;\nerror_log {at}/error.log info;\n\
             events {{ worker_connections 16384; }}\nhttp {{\naccess_log off;\n\
             client_body_temp_path {at}/a;\nproxy_temp_path {at}/b;\nfastcgi_temp_path {at}/c;\nuwsgi_temp_path {at}/d;\n\
             scgi_temp_path {at}/e;\n{before}server {{\n{server}}}\n}}\n"
        );
        fs::write(folder.join("nginx.conf"), lines)?;
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).is_file());
        let child = Command::new(program.unwrap_or("nginx"))
            .args([
                "-e".as_ref(),
                folder.join("error.log").as_os_str(),
                "-c".as_ref(),
                folder.join("nginx.conf").as_os_str(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx (package `nginx-light`)")?;
        let running = Self { child, port, folder: folder.to_owned() };
        wait_until("nginx to listen", Duration::from_secs(30), || listens(port)).with_context(|| running.log())?;
        Ok(running)
    }

    /// Where it listens, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process; its workers are children of that.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("error.log")).unwrap_or_default()
    }

    /// Has it read its files again; new connections are served by them once this returns.
    pub fn reload(&self) -> Result<()> {
        let stopped = |log: &str| log.matches("gracefully shutting down").count();
        let before = stopped(&self.log());
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP)?;
        wait_until("nginx to read its files", Duration::from_secs(30), || stopped(&self.log()) > before)
            .with_context(|| self.log())?;
        ensure!(!self.log().contains("[emerg]"), "{}", self.log());
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers go with it only if it is asked.
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}
