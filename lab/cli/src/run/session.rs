// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Session files: the options of a run and a list of commands, in TOML.
//!
//! Source: our own format, docs/reference/session-file.md. A key is called like the option of the command line, and its value
//! is written in the same way.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::exit;
use drydock_machine::model::Choices;
use drydock_machine::scenario::StockDevice;
use drydock_toolchain::firmware::Choice;

use super::files::Files;
use super::job::{self, CPUS, Command, Job, MEMORY};
use super::parameters::Parameter;
use super::screenshot::Screenshot;
use super::user_module::UserModule;
use super::{fetch, setting};

/// A session file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Session {
    driver: String,
    kernel: Option<String>,
    #[serde(default = "cpus")]
    cpus: u32,
    memory: Option<u32>,
    #[serde(default = "limit")]
    limit: u64,
    fault: Option<PathBuf>,
    trace: Option<PathBuf>,
    vram: Option<u32>,
    firmware: Option<String>,
    firmware_unchecked: Option<PathBuf>,
    #[serde(default)]
    param: Vec<String>,
    #[serde(default)]
    device: Vec<String>,
    #[serde(default)]
    module: Vec<String>,
    root: Option<Files>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    #[serde(default)]
    write: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    user: bool,
    #[serde(default)]
    command: Vec<Entry>,
}

fn cpus() -> u32 {
    job::DEFAULT_CPUS
}

fn limit() -> u64 {
    job::DEFAULT_LIMIT
}

/// A command of a session file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    argv: Option<Vec<String>>,
    /// A line for a shell, instead of `argv`.
    run: Option<String>,
    #[serde(default)]
    exit_code: Codes,
    limit: Option<u64>,
    #[serde(default)]
    get: Vec<String>,
    screenshot: Option<PathBuf>,
    at: Option<u64>,
}

/// The exit codes of success.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`exit-code` must be a number from 0 to 255, or a list of such numbers")]
enum Codes {
    One(u8),
    Several(Vec<u8>),
}

impl Default for Codes {
    fn default() -> Self {
        Self::One(exit::OK)
    }
}

/// Reads a session file.
pub(super) fn read(path: &Path) -> Result<Job> {
    let unreadable =
        |error| Error::new(Kind::Usage, format!("cannot read the session file `{}`: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let path = path.canonicalize().map_err(unreadable)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    parse(&text, directory).with_context(|| format!("the session file `{}` is invalid", path.display()))
}

/// Parses a session file in `directory`, where its relative paths begin.
fn parse(text: &str, directory: &Path) -> Result<Job> {
    let session: Session = toml::from_str(text).map_err(|error| {
        let place = error.to_string();
        // The crate's last lines repeat the message.
        let lines = place.lines().filter(|line| *line != error.message());
        Error::new(Kind::Usage, error.message()).details(lines.map(str::to_owned))
    })?;
    session.job(directory)
}

impl Session {
    fn job(self, directory: &Path) -> Result<Job> {
        in_range("cpus", self.cpus, &CPUS)?;
        self.memory.map_or(Ok(()), |memory| in_range("memory", memory, &MEMORY))?;
        let here = |path: PathBuf| directory.join(path);
        let firmware = self.firmware.as_deref().map(|text| firmware(text, directory)).transpose()?;
        if firmware.is_some() && self.firmware_unchecked.is_some() {
            return Err(refused("`firmware` and `firmware-unchecked` exclude each other: remove one"));
        }
        let commands = commands(self.command, self.limit, directory)?;
        Ok(Job {
            driver: self.driver,
            kernel: self.kernel,
            cpus: self.cpus,
            memory: self.memory,
            gpu: Choices { fault: self.fault.map(here), trace: self.trace.map(here), vram: self.vram },
            firmware: self.firmware_unchecked.map(here).map(Choice::Unchecked).or(firmware),
            parameters: parsed(&self.param, Parameter::parse)?,
            devices: parsed(&self.device, StockDevice::parse)?,
            modules: parsed(&self.module, |text| Ok(UserModule::parse(text)?.within(directory)))?,
            waits_for_gdb: false,
            root: self.root,
            packages: self.packages,
            shares: setting::shares(directory, &self.with, &self.write)?,
            environment: parsed(&self.env, setting::variable)?,
            is_user: self.user,
            directory: directory.to_owned(),
            commands,
            on_terminal: false,
            is_session: true,
        })
    }
}

/// Parses the values of a list as those of the option on the command line.
fn parsed<T>(texts: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>> {
    texts.iter().map(|text| parse(text)).collect::<Result<_, _>>().map_err(refused)
}

fn firmware(text: &str, directory: &Path) -> Result<Choice> {
    let path = directory.join(text);
    Choice::parse(if ["real", "built"].contains(&text) { text } else { path.to_str().unwrap_or(text) }).map_err(refused)
}

/// Returns the commands. Their names must differ, because results are compared by name.
fn commands(entries: Vec<Entry>, limit: u64, directory: &Path) -> Result<Vec<Command>> {
    if entries.is_empty() {
        return Err(refused("it has no command").hint("add a table `[[command]]` with `argv` or `run`"));
    }
    let mut names = BTreeSet::new();
    let mut commands = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let command = entry.command(limit, directory).with_context(|| format!("command {}", index + 1))?;
        if !names.insert(command.name.clone()) {
            let error = refused(format!("command {}: an earlier command is called `{}` too", index + 1, command.name));
            return Err(error.hint("give it another `name`"));
        }
        commands.push(command);
    }
    Ok(commands)
}

impl Entry {
    fn command(self, limit: u64, directory: &Path) -> Result<Command> {
        let (name, argv) = match (self.argv, self.run) {
            (Some(argv), None) if !argv.is_empty() => (Command::name_of(&argv), argv),
            (None, Some(line)) if !line.trim().is_empty() => {
                let first = line.trim().lines().next().unwrap_or_default().to_owned();
                (first, vec!["sh".to_owned(), "-c".to_owned(), line])
            }
            (None, Some(_)) => return Err(refused("`run` is empty: write a line for a shell")),
            (Some(_), None) => return Err(refused("`argv` is empty: name a program")),
            (Some(_), Some(_)) => return Err(refused("`argv` and `run` exclude each other: remove one")),
            (None, None) => return Err(refused("it has neither `argv` nor `run`")),
        };
        let exit_codes = match self.exit_code {
            Codes::One(code) => vec![code],
            Codes::Several(codes) if codes.is_empty() => {
                return Err(refused("`exit-code` is an empty list, so the command cannot pass"));
            }
            Codes::Several(codes) => codes,
        };
        let gets = self.get.iter().map(|text| Ok(fetch::get(text)?.within(directory)));
        let name = self.name.unwrap_or(name);
        if name.trim().is_empty() || name.contains(char::is_control) {
            return Err(refused(format!("the name {name:?} must be one line of text")).hint("set `name`"));
        }
        if self.at.is_some() && self.screenshot.is_none() {
            return Err(refused("`at` has no effect without `screenshot`"));
        }
        let limit = self.limit.unwrap_or(limit);
        if limit == 0 {
            return Err(refused("`limit` must be at least 1 second"));
        }
        Ok(Command {
            name,
            argv,
            limit: job::limit(limit),
            exit_codes,
            gets: gets.collect::<Result<_, String>>().map_err(refused)?,
            screenshot: self.screenshot.map(|to| Screenshot::new(directory.join(to), self.at)),
        })
    }
}

fn in_range(key: &str, value: u32, range: &RangeInclusive<i64>) -> Result<()> {
    match range.contains(&i64::from(value)) {
        true => Ok(()),
        false => Err(refused(format!("`{key} = {value}` is not in {}..={}", range.start(), range.end()))),
    }
}

fn refused(why: impl Into<String>) -> Error {
    Error::new(Kind::Usage, why)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Returns the error with its lines.
    fn error(text: &str) -> String {
        let error = parse(text, Path::new("/")).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let hint = error.hint_text().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        let details: String = error.all_details().iter().map(|line| format!("\n| {line}")).collect();
        format!("{}{details}{hint}", error.chain())
    }

    #[test]
    fn least_file_has_the_defaults_of_the_command_line() {
        let job = parse("driver = 'vgem'\n[[command]]\nargv = ['lsgpu', 'a b']\n", Path::new("/here")).unwrap();
        assert_eq!((job.cpus, job.memory, job.is_user, job.is_session), (2, None, false, true));
        let [command] = job.commands.as_slice() else { panic!("{:?}", job.commands) };
        assert_eq!((command.name.as_str(), &command.exit_codes), ("lsgpu 'a b'", &vec![0]));
        assert_eq!(command.limit, Duration::from_secs(300));
        assert_eq!(job.directory, Path::new("/here"));
    }

    #[test]
    fn command_overrides_the_limit_of_the_session() {
        let text = "driver = 'vgem'\nlimit = 7\n[[command]]\nrun = 'a | b'\n[[command]]\nrun = 'c'\nlimit = 8\nexit-code = [1, 77]";
        let job = parse(text, Path::new("/")).unwrap();
        let limits: Vec<u64> = job.commands.iter().map(|command| command.limit.as_secs()).collect();
        assert_eq!(limits, [7, 8]);
        assert_eq!(job.commands[0].argv, ["sh", "-c", "a | b"]);
        assert_eq!(
            (job.commands[0].name.as_str(), job.commands[1].exit_codes.as_slice()),
            ("a | b", [1, 77].as_slice())
        );
    }

    #[test]
    fn relative_paths_begin_beside_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().canonicalize().unwrap();
        fs::create_dir(here.join("data")).unwrap();
        let text = "driver = 'tyr'\nfault = 'f.toml'\nwith = ['data:/data']\nwrite = ['.']\n\
                    [[command]]\nargv = ['x']\nget = ['/tmp/a', '/tmp/b:c/d']\n";
        let job = parse(text, &here).unwrap();
        assert_eq!(job.gpu.fault.unwrap(), here.join("f.toml"));
        let shares: Vec<_> = job.shares.iter().map(|share| (share.host.clone(), share.writable)).collect();
        assert_eq!(shares, [(here.join("data"), false), (here.clone(), true)]);
        let gets = format!("{:?}", job.commands[0].gets);
        assert!(gets.contains(&format!("{}/c/d", here.display())), "{gets}");
    }

    #[test]
    fn sessions_of_the_documentation_are_accepted() {
        let example = include_str!("../../../../docs/how-to/ci/session.toml");
        assert_eq!(parse(example, Path::new("/")).unwrap().commands.len(), 3);
        let page = include_str!("../../../../docs/reference/session-file.md");
        let block = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("out")).unwrap();
        // The variable that the example passes on may be missing here.
        let job = parse(&block.replace("\"LANG\"", "\"PATH\""), directory.path()).unwrap();
        assert_eq!(job.commands[1].exit_codes, [1, 77]);
    }

    #[test]
    fn every_key_is_in_the_reference() {
        let page = include_str!("../../../../docs/reference/session-file.md");
        let unknown = |text: &str| toml::from_str::<Session>(text).unwrap_err().message().to_owned();
        let keys = [unknown("x = 1"), unknown("driver = 'vgem'\n[[command]]\nx = 1")].concat();
        let keys = keys.split('`').skip(3).step_by(2).filter(|key| key.chars().all(|c| c.is_lowercase() || c == '-'));
        for key in keys.filter(|key| !["x", "command"].contains(key)) {
            assert!(page.lines().any(|line| line.starts_with('|') && line.contains(&format!("`{key}`"))), "`{key}`");
        }
    }

    #[test]
    fn mistakes_are_refused_with_their_place() {
        let with_command = |line: &str| error(&format!("driver = 'vgem'\n[[command]]\nname = 'a'\n{line}\n"));
        let with_option = |line: &str| error(&format!("driver = 'vgem'\n{line}\n[[command]]\nargv = ['a']\n"));
        let all = [
            error("driver = 'vgem"),
            error("driver = 'vgem'\n"),
            error("[[command]]\nargv = ['a']\n"),
            with_option("memry = 3"),
            with_option("cpus = 0"),
            with_option("root = 'gast'"),
            with_option("with = ['/nowhere']"),
            with_option("env = ['DRYDOCK_NOTHING']"),
            with_command(""),
            with_command("argv = []"),
            with_command("run = ' '"),
            error("driver = 'vgem'\n[[command]]\nargv = [\"a\\nb\"]\n"),
            with_command("argv = ['a']\nrun = 'a'"),
            with_command("argv = ['a']\nexit-code = 256"),
            with_command("argv = ['a']\nexit-code = []"),
            with_command("argv = ['a']\nget = ['a']"),
            with_command("argv = ['a']\nat = 1"),
            with_command("argv = ['a']\n[[command]]\nname = 'a'\nargv = ['b']"),
        ];
        insta::assert_snapshot!(all.join("\n\n"));
    }
}
