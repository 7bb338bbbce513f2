//! Where a setting's text comes from, and the list of everything that is wrong with them.
//!
//! Precedence: the command line, systemd's credentials, the environment, the TOML file, the default.
use super::table::{self, Setting};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// `--state-dir DIR`.
    pub state_dir: Option<PathBuf>,
    /// `--socket PATH`.
    pub socket: Option<PathBuf>,
}

/// Everything that settings are read from. Passed in, so that nobody but `main` touches the process's own environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The command line.
    pub flags: Flags,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// `$CREDENTIALS_DIRECTORY`: one file per setting.
    pub credentials: Option<PathBuf>,
}

impl Sources {
    /// The process's own. Variables that aren't UTF-8 are left out: none of ours is.
    #[must_use]
    pub fn of_process(flags: Flags) -> Self {
        let env: BTreeMap<_, _> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let credentials = env.get("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self { flags, env, credentials }
    }
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A file of systemd's credentials.
    Credential,
    /// The environment.
    Environment,
    /// The TOML file.
    File,
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "command line",
            Self::Credential => "credential",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}{}{}: {problem}", if value.is_empty() { "" } else { "=" }, value)]
pub struct ConfigError {
    /// Which setting.
    pub name: String,
    /// Its value; masked where it is a secret.
    pub value: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// One line of `payoutd config explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Which setting.
    pub setting: &'static Setting,
    /// Its value; masked where it is a secret; empty for none.
    pub value: String,
    /// Where it came from.
    pub from: Origin,
}

/// Reads settings one by one, and remembers where each came from and what was wrong.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    file: toml::Table,
    pub(super) errors: Vec<ConfigError>,
    pub(super) explained: Vec<Explained>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        let mut reader = Self { sources, file: toml::Table::new(), errors: Vec::new(), explained: Vec::new() };
        if let Some(path) = &sources.flags.config {
            match file(path) {
                Ok(table) => reader.file = table,
                Err(problem) => reader.wrong("--config", path.display().to_string(), problem),
            }
        }
        let known = |name: &String| table::ALL.iter().any(|setting| names(setting).any(|known| known == name));
        let unknown: Vec<_> = reader.file.keys().filter(|name| !known(name)).cloned().collect();
        for name in unknown {
            reader.wrong(
                &name,
                String::new(),
                "is no setting of this program; see `payoutd config explain`".to_owned(),
            );
        }
        reader
    }

    /// The value of a setting, or `default` when nobody sets it or what is set can't be read (which is then an error).
    pub(super) fn get<T>(
        &mut self,
        setting: &'static Setting,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        match self.find(setting) {
            None => {
                self.explain(setting, setting.default.to_owned(), Origin::Default);
                default
            }
            Some((text, from)) => {
                let shown = if setting.secret { mask(&text) } else { without_password(&text) };
                self.explain(setting, shown.clone(), from);
                parse(&text).unwrap_or_else(|problem| {
                    self.wrong(setting.name, shown, format!("{problem} (from the {from})"));
                    default
                })
            }
        }
    }

    /// What an unset setting's default is here, where it depends on others.
    pub(super) fn default_is(&mut self, setting: &'static Setting, value: &str) {
        let unset = |line: &&mut Explained| line.setting == setting && line.from == Origin::Default;
        if let Some(line) = self.explained.iter_mut().find(unset) {
            value.clone_into(&mut line.value);
        }
    }

    /// Somebody set it.
    pub(super) fn is_set(&self, setting: &'static Setting) -> bool {
        self.explained.iter().any(|line| line.setting == setting && line.from != Origin::Default)
    }

    fn explain(&mut self, setting: &'static Setting, value: String, from: Origin) {
        self.explained.push(Explained { setting, value, from });
    }

    pub(super) fn wrong(&mut self, name: &str, value: String, problem: String) {
        self.errors.push(ConfigError { name: name.to_owned(), value, problem });
    }

    /// A text from the environment that isn't a setting of its own.
    pub(super) fn env(&self, name: &str) -> Option<&'a str> {
        self.sources.env.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }

    /// The text of a setting. Empty counts as not set: `NAME=` in an environment file is how people switch one off.
    fn find(&mut self, setting: &'static Setting) -> Option<(String, Origin)> {
        let found = self.flag(setting).or_else(|| self.credential(setting)).or_else(|| {
            let env = names(setting).find_map(|name| self.env(name));
            env.map(|text| (text.to_owned(), Origin::Environment))
        });
        found.or_else(|| self.in_file(setting)).filter(|(text, _)| !text.is_empty())
    }

    fn flag(&self, setting: &Setting) -> Option<(String, Origin)> {
        let path = match setting.name {
            "PAYOUTD_STATE_DIR" => self.sources.flags.state_dir.as_ref()?,
            "PAYOUTD_SOCKET" => self.sources.flags.socket.as_ref()?,
            _ => return None,
        };
        Some((path.to_string_lossy().into_owned(), Origin::Flag))
    }

    fn credential(&mut self, setting: &Setting) -> Option<(String, Origin)> {
        let directory = self.sources.credentials.as_ref()?;
        for name in names(setting) {
            match std::fs::read_to_string(directory.join(name)) {
                Ok(text) => return Some((text.trim().to_owned(), Origin::Credential)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => self.wrong(name, String::new(), format!("its credential cannot be read: {error}")),
            }
        }
        None
    }

    fn in_file(&mut self, setting: &Setting) -> Option<(String, Origin)> {
        let (name, value) = names(setting).find_map(|name| Some((name, self.file.get(name)?.clone())))?;
        match flat(&value) {
            Some(text) => Some((text.trim().to_owned(), Origin::File)),
            None => {
                self.wrong(name, String::new(), "write a text, a number, or a list of them in the file".to_owned());
                None
            }
        }
    }
}

fn names(setting: &Setting) -> impl Iterator<Item = &'static str> + use<> {
    std::iter::once(setting.name).chain(setting.alias)
}

fn file(path: &Path) -> Result<toml::Table, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    // The parser's message quotes the line, and a line may hold a secret: say only where it is.
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        format!("is not TOML: line {line}: {}", error.message())
    })
}

/// A value of the file as the text that the environment would hold.
fn flat(value: &toml::Value) -> Option<String> {
    use toml::Value;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(flag.to_string()),
        Value::Array(list) => Some(list.iter().map(flat).collect::<Option<Vec<_>>>()?.join(",")),
        Value::Table(table) => {
            let pairs = table.iter().map(|(name, value)| Some(format!("{name}={}", flat(value)?)));
            Some(pairs.collect::<Option<Vec<_>>>()?.join(","))
        }
        Value::Datetime(_) => None,
    }
}

/// A secret as people may see it: what kind of thing it is, and how long.
pub(super) fn mask(secret: &str) -> String {
    let one = |secret: &str| {
        let known = ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"];
        let prefix = known.into_iter().find(|prefix| secret.starts_with(prefix)).unwrap_or("");
        format!("{prefix}…({} characters)", secret.chars().count())
    };
    secret.split(',').map(|part| one(part.trim())).collect::<Vec<_>>().join(",")
}

/// An address without what stands before its host, nor its parameters where a password is among them.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let shown = rest.rsplit_once('@').map_or_else(|| rest.to_owned(), |(_, host)| format!("…@{host}"));
    if shown.to_ascii_lowercase().contains("password") {
        let place = shown.split_once('?').map_or("", |(place, _)| place);
        return format!("{scheme}://{place}?…");
    }
    format!("{scheme}://{shown}")
}
