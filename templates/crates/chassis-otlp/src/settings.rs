//! Where telemetry is sent, as the environment says in the variables of the OpenTelemetry specification. Each has its
//! own for traces and for logs too (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`), which wins. What cannot be followed is refused at
//! start: nobody would miss what never arrives.
//!
//! | variable | meaning |
//! |---|---|
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | base URL of the receiver, such as `http://collector:4318`; unset: nothing is sent |
//! | `OTEL_EXPORTER_OTLP_HEADERS` | `name=value,…` for each request, such as credentials |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` | milliseconds for each request, 10000 by itself |
//! | `OTEL_EXPORTER_OTLP_CERTIFICATE` | PEM file of the authorities to trust over https, instead of the system's |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL`, `OTEL_EXPORTER_OTLP_COMPRESSION` | only `http/json` and `none` |
//! | `OTEL_TRACES_EXPORTER`, `OTEL_LOGS_EXPORTER` | `otlp`, or `none` to send only the other |
//! | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | which traces: see [`Sampler`] |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | what is said of this process beside its version |
//! | `OTEL_SDK_DISABLED` | `true`: nothing is sent |

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use chassis::Identity;
use chassis::config::{ConfigError, invalid};

pub const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

pub struct Settings {
    pub traces: Option<Target>,
    pub logs: Option<Target>,
    pub sampler: Sampler,
    /// What all telemetry says of this process.
    pub resource: Vec<(String, String)>,
}

/// Who receives the one kind of telemetry.
pub struct Target {
    pub signal: &'static str,
    pub url: Uri,
    pub headers: HeaderMap,
    pub timeout: Duration,
    pub ca_file: Option<PathBuf>,
}

/// Which traces are exported. By itself: those that the caller exports, and all that begin here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    follows_caller: bool,
    /// Of the traces that are decided here: from none, 0, to all, 1.
    share: f64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self {
            follows_caller: true,
            share: 1.0,
        }
    }
}

impl Sampler {
    /// Services with the same share decide alike.
    pub fn decide(self, trace_id: u128, caller: Option<bool>) -> bool {
        match caller {
            Some(decided) if self.follows_caller => decided,
            _ => (trace_id as u64 >> 1) < (self.share * (1_u64 << 63) as f64) as u64,
        }
    }

    fn read(
        environment: &Environment<impl Fn(&str) -> Option<String>>,
    ) -> Result<Self, ConfigError> {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(name) = environment.get(NAME) else {
            return Ok(Self::default());
        };
        let (kind, follows_caller) = match name.strip_prefix("parentbased_") {
            Some(kind) => (kind, true),
            None => (name.as_str(), false),
        };
        let share = match kind {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => match environment.get(ARGUMENT) {
                None => 1.0,
                Some(share) => share
                    .parse()
                    .ok()
                    .filter(|share| (0.0..=1.0).contains(share))
                    .ok_or_else(|| invalid(ARGUMENT, format!("({share:?}) must be from 0 to 1")))?,
            },
            _ => {
                let problem = format!(
                    "({name:?}) must be always_on, always_off or traceidratio, or one of these after `parentbased_`"
                );
                return Err(invalid(NAME, problem));
            }
        };
        Ok(Self {
            follows_caller,
            share,
        })
    }
}

impl Settings {
    /// `None` when nothing is to be sent. `variable` looks up a variable of the environment.
    pub fn read(
        service: &Identity,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ConfigError> {
        let environment = Environment(variable);
        if environment
            .get("OTEL_SDK_DISABLED")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            return Ok(None);
        }
        let traces = environment.target("traces")?;
        let logs = environment.target("logs")?;
        if traces.is_none() && logs.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            traces,
            logs,
            sampler: Sampler::read(&environment)?,
            resource: environment.resource(service)?,
        }))
    }
}

struct Environment<F>(F);

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    /// A variable that is empty is as good as not set.
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// The variable of this signal alone or, without it, that of all; with its name.
    fn of_signal(&self, signal: &str, what: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.to_ascii_uppercase());
        [own, format!("OTEL_EXPORTER_OTLP_{what}")]
            .into_iter()
            .find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    fn target(&self, signal: &'static str) -> Result<Option<Target>, ConfigError> {
        let Some((name, endpoint)) = self.of_signal(signal, "ENDPOINT") else {
            return Ok(None);
        };
        let exporter = format!("OTEL_{}_EXPORTER", signal.to_ascii_uppercase());
        match self.get(&exporter).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => {
                let problem = format!("({other:?}) must be otlp or none");
                return Err(invalid(exporter, problem));
            }
        }
        for (what, supported) in [("PROTOCOL", "http/json"), ("COMPRESSION", "none")] {
            if let Some((name, value)) = self.of_signal(signal, what)
                && value != supported
            {
                let problem =
                    format!("({value:?}) must be {supported}: this service sends nothing else");
                return Err(invalid(name, problem));
            }
        }
        let timeout = match self.of_signal(signal, "TIMEOUT") {
            None => 10_000,
            Some((name, value)) => value
                .parse()
                .ok()
                .filter(|milliseconds| *milliseconds > 0)
                .ok_or_else(|| invalid(name, format!("({value:?}) must be milliseconds")))?,
        };
        let mut headers = HeaderMap::new();
        if let Some((variable, list)) = self.of_signal(signal, "HEADERS") {
            for (name, value) in pairs(&variable, &list)? {
                // Values are credentials: no error shows them.
                let problem = || invalid(&variable, format!("is no header in {name:?}"));
                let name = HeaderName::try_from(&name).map_err(|_| problem())?;
                let mut value = HeaderValue::try_from(value).map_err(|_| problem())?;
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Ok(Some(Target {
            signal,
            url: url(&name, &endpoint, signal)?,
            headers,
            timeout: Duration::from_millis(timeout),
            ca_file: self
                .of_signal(signal, "CERTIFICATE")
                .map(|(_, file)| file.into()),
        }))
    }

    fn resource(&self, service: &Identity) -> Result<Vec<(String, String)>, ConfigError> {
        const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let mut resource = vec![
            ("service.name".to_owned(), service.name.to_owned()),
            ("service.version".to_owned(), service.version.to_owned()),
        ];
        let mut given = match self.get(ATTRIBUTES) {
            Some(list) => pairs(ATTRIBUTES, &list)?,
            None => vec![],
        };
        given.extend(
            self.get("OTEL_SERVICE_NAME")
                .map(|name| ("service.name".to_owned(), name)),
        );
        for (key, value) in given {
            resource.retain(|(known, _)| *known != key);
            resource.push((key, value));
        }
        Ok(resource)
    }
}

/// The base URL of all signals gets this one's path; a signal's own URL is the whole.
fn url(variable: &str, endpoint: &str, signal: &str) -> Result<Uri, ConfigError> {
    let whole = match variable {
        ENDPOINT => format!("{}/v1/{signal}", endpoint.trim_end_matches('/')),
        _ => endpoint.to_owned(),
    };
    let url = Uri::try_from(whole).ok().filter(|url| url.host().is_some());
    match url {
        Some(url) if matches!(url.scheme_str(), Some("http" | "https")) => Ok(url),
        _ => {
            let problem = "must be a URL that begins with http:// or https://";
            Err(invalid(variable, format!("({endpoint:?}) {problem}")))
        }
    }
}

/// `key=value,…`, percent-encoded where it must be.
fn pairs(variable: &str, list: &str) -> Result<Vec<(String, String)>, ConfigError> {
    list.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let pair = pair
                .split_once('=')
                .filter(|(key, _)| !key.trim().is_empty());
            let decoded =
                pair.and_then(|(key, value)| Some((decoded(key.trim())?, decoded(value.trim())?)));
            decoded.ok_or_else(|| {
                invalid(
                    variable,
                    "must be a list as `key=value,key=value`, percent-encoded",
                )
            })
        })
        .collect()
}

/// Text whose `%2C` is a comma.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: Identity = Identity {
        name: "probe",
        version: "1.2.3",
        env_prefix: "PROBE",
    };
    const HERE: (&str, &str) = (ENDPOINT, "http://collector:4318/");

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, ConfigError> {
        Settings::read(&SERVICE, |wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn settings(variables: &[(&str, &str)]) -> Settings {
        read(variables).unwrap().expect("something is sent")
    }

    #[test]
    fn nothing_is_sent_unless_the_environment_says_where_to() {
        for variables in [
            &[][..],
            &[(ENDPOINT, "")],
            &[("OTEL_TRACES_EXPORTER", "otlp")],
            &[HERE, ("OTEL_SDK_DISABLED", "TRUE")],
            &[
                HERE,
                ("OTEL_TRACES_EXPORTER", "none"),
                ("OTEL_LOGS_EXPORTER", "none"),
            ],
        ] {
            assert!(read(variables).unwrap().is_none(), "{variables:?}");
        }
    }

    #[test]
    fn each_signal_goes_where_its_own_variables_say_else_where_those_of_all_do() {
        let all = settings(&[HERE]);
        let (traces, logs) = (all.traces.unwrap(), all.logs.unwrap());
        assert_eq!(traces.url, "http://collector:4318/v1/traces");
        assert_eq!(logs.url, "http://collector:4318/v1/logs");
        assert_eq!(traces.timeout, Duration::from_secs(10));

        let own = settings(&[
            HERE,
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%2Cb, x-team = shop"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://store/insert"),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-key=c"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "250"),
        ]);
        let (traces, logs) = (own.traces.unwrap(), own.logs.unwrap());
        assert_eq!(traces.headers["x-key"], "a,b");
        assert_eq!(traces.headers["x-team"], "shop");
        assert_eq!(
            logs.url, "http://store/insert",
            "a signal's own URL is the whole"
        );
        assert_eq!(logs.headers["x-key"], "c");
        assert_eq!(logs.timeout, Duration::from_millis(250));

        let one = settings(&[HERE, ("OTEL_TRACES_EXPORTER", "none")]);
        assert!(one.traces.is_none() && one.logs.is_some());
    }

    #[test]
    fn the_resource_is_the_service_and_what_the_environment_adds() {
        let named = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,host.name=b%20c")];
        let renamed = [named[0], ("OTEL_SERVICE_NAME", "d")];
        for (variables, expected) in [
            (&[][..], "service.name=probe service.version=1.2.3"),
            (&named, "service.version=1.2.3 service.name=a host.name=b c"),
            (
                &renamed,
                "service.version=1.2.3 host.name=b c service.name=d",
            ),
        ] {
            let resource = settings(&[&[HERE], variables].concat()).resource;
            let resource = resource.iter().map(|(key, value)| format!("{key}={value}"));
            assert_eq!(resource.collect::<Vec<_>>().join(" "), expected);
        }
    }

    #[test]
    fn the_caller_decides_which_traces_are_sent_or_this_service_does() {
        let (low, high) = (1, u128::from(u64::MAX));
        for (name, argument, expected) in [
            // Without a caller: an early id, a late id. After a caller that exports, and one that does not.
            ("", "", [true, true, true, false]),
            ("always_on", "", [true, true, true, true]),
            ("always_off", "", [false, false, false, false]),
            ("traceidratio", "0.5", [true, false, true, true]),
            (
                "parentbased_traceidratio",
                "0.5",
                [true, false, true, false],
            ),
            ("parentbased_traceidratio", "", [true, true, true, false]),
            ("parentbased_always_off", "", [false, false, true, false]),
        ] {
            let sampler = settings(&[
                HERE,
                ("OTEL_TRACES_SAMPLER", name),
                ("OTEL_TRACES_SAMPLER_ARG", argument),
            ])
            .sampler;
            let decided = [
                sampler.decide(low, None),
                sampler.decide(high, None),
                sampler.decide(low, Some(true)),
                sampler.decide(low, Some(false)),
            ];
            assert_eq!(decided, expected, "{name} {argument}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_by_name_and_shows_no_secret() {
        for (name, value, expected) in [
            (
                ENDPOINT,
                "collector:4318",
                "must be a URL that begins with http://",
            ),
            (
                ENDPOINT,
                "ftp://collector",
                "must be a URL that begins with http://",
            ),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "must be http/json"),
            (
                "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION",
                "gzip",
                "must be none",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "must be milliseconds"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "must be a list"),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "key=secret%0A",
                "is no header",
            ),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                "key=secret%2",
                "must be a list",
            ),
            ("OTEL_TRACES_EXPORTER", "zipkin", "must be otlp or none"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote", "must be always_on"),
        ] {
            let error = read(
                &[HERE, (name, value)]
                    .map(|pair| if pair.0 == name { (name, value) } else { pair }),
            );
            let error = error.err().expect(value).to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
            assert!(
                error.contains(expected) && !error.contains("secret"),
                "{error}"
            );
        }
        let half = [
            HERE,
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ];
        assert!(
            read(&half)
                .err()
                .unwrap()
                .to_string()
                .contains("from 0 to 1")
        );
    }
}
