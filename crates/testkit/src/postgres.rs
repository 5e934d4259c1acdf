use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A PostgreSQL server in a directory of its own. The server goes away with the starting process, however the
/// process ends.
#[derive(Debug)]
pub struct Postgres {
    /// `None` when another process started the server.
    process: Option<Process>,
    directory: String,
}

#[derive(Debug)]
struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
}

/// Names the directory of a running server, for tests that run in a process each.
const SHARED: &str = "HOOKYARD_TEST_POSTGRES";

impl Postgres {
    /// Starts a server, with settings such as `fsync=off`. An error names the missing part.
    pub fn start(settings: &[&str]) -> io::Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/postgres.sh");
        let mut child = Command::new("sh")
            .arg(script)
            .arg("-")
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let says = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        let mut process = Process { child, says: BufReader::new(says) };
        let directory = process.expect("ready ")?;
        Ok(Self { process: Some(process), directory })
    }

    /// The running server that `HOOKYARD_TEST_POSTGRES` names by its directory, or else a new server whose
    /// data need not outlive the tests.
    pub fn shared() -> io::Result<Self> {
        match std::env::var(SHARED) {
            Ok(directory) => Ok(Self { process: None, directory }),
            Err(_) => Self::start(&["forgetful"]),
        }
    }

    /// The URL of a database of the server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://hookyard@{}/{database}", self.directory.replace('/', "%2F"))
    }

    /// Stops the server, as an operator would; [`Postgres::start_again`] keeps the data.
    pub fn stop(&mut self) -> io::Result<()> {
        let process = self.process()?;
        process.tell("stop")?;
        process.expect("stopped").map(drop)
    }

    /// Starts the server after a stop.
    pub fn start_again(&mut self) -> io::Result<()> {
        let process = self.process()?;
        process.tell("start")?;
        process.expect("ready ").map(drop)
    }

    fn process(&mut self) -> io::Result<&mut Process> {
        self.process.as_mut().ok_or_else(|| io::Error::other("another process started the server"))
    }
}

impl Process {
    fn tell(&mut self, order: &str) -> io::Result<()> {
        let input = self.child.stdin.as_mut().ok_or_else(|| io::Error::other("it has no input"))?;
        writeln!(input, "{order}")
    }

    fn expect(&mut self, start: &str) -> io::Result<String> {
        let mut said = String::new();
        self.says.read_line(&mut said)?;
        match said.strip_prefix(start) {
            Some(rest) => Ok(rest.trim_end().to_owned()),
            None => {
                io::Read::read_to_string(&mut self.says, &mut said)?;
                Err(io::Error::other(said))
            }
        }
    }
}
