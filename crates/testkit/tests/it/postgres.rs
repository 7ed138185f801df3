//! A real PostgreSQL: TLS and passwords are checked, it can be stopped, frozen, and started many
//! times at once.

use std::net::TcpStream;
use std::time::Duration;

use wane_testkit::{Ended, Postgres};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn the_superuser_connects_over_verified_tls() {
    let server = Postgres::launch().unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(server.psql("postgres", sql).unwrap(), "t");
    assert!(server.ca_pem().unwrap().contains("BEGIN CERTIFICATE"));
    let prepared = server.psql("postgres", "SHOW max_prepared_transactions").unwrap();
    assert_eq!(prepared, "20");
}

#[test]
fn wrong_passwords_plain_connections_and_unknown_authorities_are_refused() {
    let server = Postgres::launch().unwrap();
    let wrong = server.psql_as("postgres", "wrong", "postgres", "SELECT 1").unwrap();
    assert!(wrong.stderr.contains("password authentication failed"), "{wrong:?}");

    let other = Postgres::launch().unwrap();
    let psql = std::path::Path::new("psql");
    let stranger = wane_testkit::PsqlClient::new(psql, server.port(), other.ca_path())
        .login(server.superuser(), server.superuser_password())
        .run("SELECT 1")
        .unwrap();
    assert!(stranger.stderr.contains("certificate verify failed"), "{stranger:?}");

    let plain = std::process::Command::new("psql")
        .args(["-h", "127.0.0.1", "-p", &server.port().to_string(), "-U", "postgres", "-c", "x"])
        .env("PGSSLMODE", "disable")
        .env("PGPASSWORD", server.superuser_password())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&plain.stderr).into_owned();
    assert!(said.contains("no pg_hba.conf entry"), "{said}");
}

#[test]
fn statements_are_logged_quoted_as_given_and_stop_at_the_first_error() {
    let server = Postgres::builder().setting("application_name", "it's").start().unwrap();
    server.create_database("odd \"name'").unwrap();
    let odd = server.psql("odd \"name'", "SELECT $$a 'b' \"c\" \\d$$").unwrap();
    assert_eq!(odd, "a 'b' \"c\" \\d");
    assert!(server.log().unwrap().contains("SELECT $$a 'b' \"c\" \\d$$"));
    let failed = server.psql("postgres", "SELECT nothing; CREATE TABLE never()");
    assert!(failed.unwrap_err().to_string().contains("nothing"));
    let there = server.psql("postgres", "SELECT to_regclass('never') IS NULL").unwrap();
    assert_eq!(there, "t");
}

#[test]
fn an_open_session_is_seen_until_it_is_cut() {
    let server = Postgres::launch().unwrap();
    server.psql("postgres", "CREATE ROLE r LOGIN PASSWORD 'p'").unwrap();
    let mut session = server.client("r", "p", "postgres").open().unwrap();
    session.send_line("SELECT 'hello';").unwrap();
    session.wait_for("hello", SOON).unwrap();
    session.send_line("SELECT pg_sleep(600);").unwrap();
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'r'";
    assert_eq!(server.psql("postgres", cut).unwrap(), "1");
    let outcome = session.wait_exit(SOON).unwrap();
    assert!(outcome.stderr.contains("terminating connection"), "{outcome:?}");
}

#[test]
fn a_stopped_server_refuses_and_comes_back_with_its_data() {
    let mut server = Postgres::launch().unwrap();
    server.psql("postgres", "CREATE TABLE kept(x int)").unwrap();
    server.stop().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    let refused = server.psql("postgres", "SELECT 1").unwrap_err();
    assert!(refused.to_string().contains("refused"), "{refused}");
    server.start().unwrap();
    assert_eq!(server.psql("postgres", "SELECT count(*) FROM kept").unwrap(), "0");
}

#[test]
fn a_frozen_server_accepts_and_never_answers_until_it_thaws() {
    let server = Postgres::launch().unwrap();
    let password = server.superuser_password();
    let client = server.client(server.superuser(), password, "postgres");
    server.pause();
    TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let frozen = client.clone().timeout(Duration::from_secs(2)).run("SELECT 1").unwrap();
    assert_eq!(frozen.ended, Ended::TimedOut);
    server.resume();
    assert_eq!(client.run("SELECT 1").unwrap().into_stdout().unwrap(), "1");
}

#[test]
fn a_frozen_server_can_be_ended_too() {
    let server = Postgres::launch().unwrap();
    let port = server.port();
    server.pause();
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn four_start_at_once_and_share_nothing() {
    let started: Vec<Postgres> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(Postgres::launch)).collect();
        starts.into_iter().map(|start| start.join().unwrap().unwrap()).collect()
    });
    for (number, server) in started.iter().enumerate() {
        let sql = format!("CREATE DATABASE own{number}; SELECT count(*) FROM pg_database WHERE datname LIKE 'own%'");
        assert_eq!(server.psql("postgres", &sql).unwrap(), "1");
    }
}

#[test]
fn a_server_of_a_panicking_test_is_ended() {
    let port = std::thread::spawn(|| {
        let server = Postgres::launch().unwrap();
        std::panic::panic_any(server.port());
    })
    .join()
    .unwrap_err();
    let port = *port.downcast::<u16>().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}
