//! The real binaries as processes.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::world::write_config;
use sluis_testkit::pki::{Credentials, Pki};

/// A binary of the workspace, beside the running test or program.
///
/// # Panics
/// If it was not built: `make test` builds it first.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test");
    let mut directory = test.parent().expect("a directory");
    if directory.ends_with("deps") {
        directory = directory.parent().expect("target/release");
    }
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} is missing; run: cargo build --release --workspace --bins",
        path.display()
    );
    path
}

/// A `sluisd` process that lives in a directory.
pub struct Sluisd {
    child: Child,
    addr: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Sluisd {
    /// Makes certificates, configuration and store in `directory`.
    pub fn prepare(directory: &Path, extra: &str) -> Pki {
        let pki = Pki::create(&directory.join("pki"));
        write_config(directory, extra);
        let output = Self::command(directory, "init")
            .output()
            .expect("sluisd runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        pki
    }

    /// `sluisd COMMAND --config directory/sluisd.toml`.
    pub fn command(directory: &Path, command: &str) -> Command {
        let mut sluisd = Command::new(binary("sluisd"));
        sluisd
            .arg(command)
            .arg("--config")
            .arg(directory.join("sluisd.toml"));
        sluisd
    }

    /// Starts the daemon and waits until it serves.
    ///
    /// # Panics
    /// With its log, if it does not.
    pub fn start(directory: &Path) -> Self {
        Self::start_command(Self::command(directory, "run"))
    }

    /// As [`Self::start`], with a command that runs the daemon.
    ///
    /// # Panics
    /// With its log, if it does not serve.
    pub fn start_command(mut command: Command) -> Self {
        let mut child = command
            .env("SLUISD_TELEMETRY__LOG_FORMAT", "json")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("sluisd runs");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let log = Arc::new(Mutex::new(String::new()));
        let mut addr = None;
        while addr.is_none() {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).expect("text");
            log.lock().expect("not poisoned").push_str(&line);
            assert!(
                read > 0,
                "sluisd did not start:\n{}",
                log.lock().expect("not poisoned")
            );
            if line.contains("\"serving\"") {
                addr = line
                    .split("\"addr\":\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .map(str::to_owned);
            }
        }
        let sink = log.clone();
        let reader = std::thread::spawn(move || {
            // Line by line, until the end; a killed process just ends.
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                sink.lock().expect("not poisoned").push_str(&line);
                line.clear();
            }
        });
        Self {
            child,
            addr: addr.expect("found"),
            log,
            reader: Some(reader),
        }
    }

    /// `https://localhost:PORT`.
    pub fn endpoint(&self) -> String {
        format!(
            "https://localhost:{}",
            self.addr.rsplit(':').next().expect("a port")
        )
    }

    /// Where it serves metrics.
    ///
    /// # Panics
    /// Unless that is configured.
    pub fn metrics_addr(&self) -> SocketAddr {
        let log = self.log();
        let line = log
            .lines()
            .find(|line| line.contains("\"metrics\""))
            .expect("said before it serves");
        let addr = line
            .split("\"addr\":\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        addr.expect("in the same line").parse().expect("an address")
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log up to the moment it began to serve.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("still running");
        self.child.wait().expect("waits");
    }

    /// SIGTERM; waits and returns the exit code and the whole log.
    pub fn terminate(mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("still running");
        let status = self.child.wait().expect("waits");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reads to the end");
        }
        (
            status.code(),
            self.log.lock().expect("not poisoned").clone(),
        )
    }
}

impl Drop for Sluisd {
    fn drop(&mut self) {
        // Already gone after kill or terminate.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The `sluis` command line of one member against one daemon.
pub struct Sluis {
    environment: Vec<(&'static str, String)>,
}

impl Sluis {
    /// Of `organisation/member` with new credentials.
    pub fn of(pki: &Pki, endpoint: &str, member: &str) -> Self {
        Self::with(pki, endpoint, member, &pki.member(member))
    }

    /// With given credentials.
    pub fn with(pki: &Pki, endpoint: &str, name: &str, credentials: &Credentials) -> Self {
        let (cert, key) = pki.write_credentials(&name.replace('/', "-"), credentials);
        let text = |path: PathBuf| path.display().to_string();
        let environment = vec![
            ("SLUIS_SERVER", endpoint.to_owned()),
            ("SLUIS_CA", text(pki.path("ca.pem"))),
            ("SLUIS_CERT", text(cert)),
            ("SLUIS_KEY", text(key)),
        ];
        Self { environment }
    }

    /// `sluis ARGUMENTS...`, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("sluis"));
        command
            .args(arguments)
            .env_remove("SLUIS_CONFIG")
            .env_remove("SLUIS_PROFILE");
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs to the end, whatever it answers.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("sluis runs")
    }

    /// Runs and must succeed; returns standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "sluis {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    }
}

/// Peak resident memory of a process so far, in bytes; `None` when it is gone.
pub fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}
