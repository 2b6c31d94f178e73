//! Scripts: steps as they were sent to Apache Kafka, each with its response
//! (`engine/tests/fixtures/transcripts`).

use serde_json::Value;

/// A script.
pub(super) struct Script {
    /// How many brokers the cluster has.
    pub(super) brokers: u16,
    /// The properties of its brokers.
    pub(super) properties: Vec<(String, String)>,
    /// Its level of `transaction.version`.
    pub(super) transaction_version: u64,
    pub(super) steps: Vec<Step>,
}

/// One step of a script.
pub(super) enum Step {
    Send(Box<Send>),
    /// Takes the response to an earlier request on a connection.
    Await {
        on: String,
        expected: Expected,
    },
    /// Lets this number of milliseconds pass.
    Sleep(u64),
    /// The client closes a connection.
    Close(String),
}

/// A request.
pub(super) struct Send {
    pub(super) note: String,
    pub(super) api: String,
    /// Its version; `None`: the newest.
    pub(super) version: Option<i16>,
    pub(super) body: Value,
    /// The connection.
    pub(super) on: String,
    /// The broker to which the connection is opened.
    pub(super) broker: u16,
    /// The name under which the response is saved.
    pub(super) save: Option<String>,
    /// Error codes after which the request is sent again.
    pub(super) retry: Vec<i64>,
    /// The response; `None`: it is awaited later, or never.
    pub(super) expected: Option<Expected>,
}

/// Kafka's response.
pub(super) struct Expected {
    /// The response; `None`: the broker closed the connection.
    pub(super) response: Option<Value>,
    /// The time until then, in milliseconds rounded to 250; 0 below 400.
    pub(super) after: u64,
}

impl Script {
    pub(super) fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let head: Value = lines.next().expect("a head");
        let cluster = &head["cluster"];
        let properties = cluster["properties"].as_object().into_iter().flatten();
        let text_of = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self {
            brokers: cluster["brokers"].as_u64().unwrap_or(1) as u16,
            properties: properties.map(|(name, value)| (name.clone(), text_of(value))).collect(),
            transaction_version: cluster["features"]["transaction.version"].as_u64().unwrap_or(2),
            steps: lines.map(|line| Step::parse(&line)).collect(),
        }
    }
}

impl Script {
    /// Whether it begins a transaction without having looked for a coordinator of transactions.
    pub(super) fn expects_transactions(&self) -> bool {
        let mut sent = self.steps.iter().filter_map(|step| match step {
            Step::Send(send) => Some(send),
            _ => None,
        });
        let decides = sent.find(|send| {
            let begins = send.api == "InitProducerId" && send.body["transactionalId"].is_string();
            begins || (send.api == "FindCoordinator" && send.body["keyType"] == 1)
        });
        decides.is_some_and(|send| send.api == "InitProducerId")
    }
}

impl Step {
    fn parse(line: &Value) -> Self {
        let name = |key: &str| line[key].as_str().map(str::to_owned);
        if let Some(pause) = line["sleep"].as_u64() {
            return Self::Sleep(pause);
        }
        if let Some(on) = name("close") {
            return Self::Close(on);
        }
        if let Some(on) = name("await") {
            return Self::Await { on, expected: Expected::parse(line).expect("a response") };
        }
        let broker =
            name("broker").and_then(|it| it.strip_prefix("${b")?.strip_suffix('}')?.parse().ok());
        Self::Send(Box::new(Send {
            note: name("note").expect("a note"),
            api: name("api").expect("an API"),
            version: line["version"].as_i64().map(|version| version as i16),
            body: line["request"].clone(),
            on: name("on").unwrap_or_else(|| "main".to_owned()),
            broker: broker.unwrap_or(1),
            save: name("save"),
            retry: line["retry"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_i64)
                .collect(),
            expected: Expected::parse(line),
        }))
    }
}

impl Expected {
    fn parse(line: &Value) -> Option<Self> {
        let response = line.get("answer").cloned();
        let is_closed = line["closed"].as_bool().unwrap_or(false);
        let after = line["after_ms"].as_u64().unwrap_or(0);
        (response.is_some() || is_closed).then_some(Self { response, after })
    }
}
