//! Logs in by SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ParseResponseErrorCode as _;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use landfall_api::config::Password;
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::config::SASLConfig;
use rsasl::mechname::Mechname;
use rsasl::prelude::{MessageSent, SASLClient, Session, SessionError, State};
use rsasl::property::{AuthId, OAuthBearerKV, OAuthBearerToken, Password as PasswordOf};

use super::WireError;
use super::connection::Connection;
use crate::kafka::security::oauth::Token;
use crate::kafka::security::sasl::{BEARER, Credentials, Sasl};

impl Sasl {
    /// Logs in over a connection whose versions are negotiated. How long the login lasts, if the broker says so (KIP-368).
    pub(super) async fn login(&self, connection: &mut Connection) -> Result<Option<Duration>, WireError> {
        let address = connection.address().clone();
        let refused = |why: String| WireError::Login(address.clone(), format!("the login by {} failed: {why}", self.mechanism));
        let mut session = self.session().await.map_err(refused)?;
        let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(self.mechanism));
        // Version 0 goes on without Kafka's headers; no broker since 1.0 needs it.
        if connection.version::<SaslHandshakeRequest>()? < 1 {
            return Err(WireError::Unsupported(address, "SaslAuthenticate"));
        }
        let answer = connection.exchange(&request, 1).await?;
        if answer.error_code.is_err() {
            let known = answer.mechanisms.iter().map(StrBytes::as_str).collect::<Vec<_>>().join(", ");
            return Err(refused(format!("the broker has only {known}")));
        }
        let version = connection.version::<SaslAuthenticateRequest>()?;
        let mut challenge: Option<Bytes> = None;
        let mut lifetime = 0;
        loop {
            let mut message = Vec::new();
            let is_error = self.mechanism == BEARER && challenge.as_ref().is_some_and(|c| !c.is_empty());
            let more = if is_error {
                // What the broker has against the token comes with the answer to this (RFC 7628, 3.2.3).
                message.push(1);
                true
            } else {
                let state = session.step(challenge.as_deref(), &mut message);
                match state.map_err(|error| refused(error.to_string()))? {
                    State::Running => true,
                    State::Finished(MessageSent::Yes) => false,
                    State::Finished(MessageSent::No) => break,
                }
            };
            let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into());
            let answer = connection.exchange(&request, version).await?;
            if answer.error_code.is_err() {
                let why = answer.error_message.map_or_else(|| "no reason is given".to_owned(), |why| why.to_string());
                return Err(refused(why));
            }
            lifetime = answer.session_lifetime_ms;
            if !more {
                break;
            }
            challenge = Some(answer.auth_bytes);
        }
        Ok(u64::try_from(lifetime).ok().filter(|ms| *ms > 0).map(Duration::from_millis))
    }

    async fn session(&self) -> Result<Session, String> {
        let answers = match &self.credentials {
            Credentials::Password { username, password } => Answers::Password(username.clone(), password.clone()),
            Credentials::Tokens(tokens) => Answers::Token(tokens.token().await.map_err(|refused| refused.why)?),
            // What is read for a member has none of it.
            Credentials::Kerberos(_) => return Err("a member of a group cannot log in by GSSAPI".into()),
        };
        let config = SASLConfig::builder().with_defaults().with_callback(answers).map_err(|e| e.to_string())?;
        let name = Mechname::parse(self.mechanism.as_bytes()).map_err(|e| e.to_string())?;
        SASLClient::new(config).start_suggested(&[name]).map_err(|e| e.to_string())
    }
}

/// What the mechanisms ask for.
enum Answers {
    Password(String, Password),
    Token(Token),
}

impl SessionCallback for Answers {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        match self {
            Self::Password(username, password) => {
                request.satisfy::<AuthId>(username)?.satisfy::<PasswordOf>(password.reveal().as_bytes())?;
            }
            Self::Token(token) => {
                let extensions: Vec<_> = token.extensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                request.satisfy::<OAuthBearerKV>(&extensions)?.satisfy::<OAuthBearerToken>(token.text.reveal())?;
            }
        }
        Ok(())
    }
}
