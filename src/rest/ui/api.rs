//! What the page asks for that the API of Connect does not have. All of it is of this worker alone: files and figures of tasks that run
//! on others are there.

use std::collections::BTreeMap;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Json};
use landfall_api::{LandedFile, Preview};
use serde::Serialize;

use crate::herder::{Herder, TaskCounts};
use crate::rest::guard::Principal;
use crate::rest::{Answer, RestError, root};

/// The resources.
pub(in crate::rest) fn resources(herder: &Herder) -> Vec<(String, MethodRouter<Herder>)> {
    if !herder.keys().ui {
        return Vec::new();
    }
    let files = "/ui/api/connectors/{name}/files";
    let all = [
        ("/ui/api/me".to_owned(), get(me)),
        // Where the metrics have listeners of their own the page cannot reach those.
        ("/ui/api/metrics".to_owned(), get(root::metrics)),
        ("/ui/api/files".to_owned(), get(last)),
        (files.to_owned(), get(of_connector)),
        (format!("{files}/{{task}}/{{number}}"), get(preview)),
    ];
    all.into_iter().map(|(path, methods)| (path, methods.layer(from_fn(unkept)))).collect()
}

/// Says that nobody is to keep an answer: it may have rows.
async fn unkept(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Who asks, and whom.
#[derive(Debug, Serialize)]
struct Me {
    name: String,
    role: &'static str,
    /// Whether nobody may change anything.
    read_only: bool,
    /// The worker that answers, by the name that statuses have for it.
    worker_id: String,
    version: &'static str,
    distributed: bool,
}

async fn me(State(herder): State<Herder>, Extension(principal): Extension<Principal>) -> Json<Me> {
    Json(Me {
        name: principal.name,
        role: principal.role.name(),
        read_only: herder.config().access.read_only,
        worker_id: herder.worker_id().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        distributed: herder.peers().is_some(),
    })
}

/// A file that a task of this worker has landed.
#[derive(Debug, Serialize)]
struct File {
    task: usize,
    number: u64,
    path: String,
    rows: u64,
    bytes: u64,
    /// When, in milliseconds since the epoch.
    at: i64,
}

impl File {
    fn new(task: usize, file: LandedFile) -> Self {
        let LandedFile { number, path, rows, bytes, at_ms } = file;
        Self { task, number, path, rows, bytes, at: at_ms }
    }
}

/// The last file of each connector.
async fn last(State(herder): State<Herder>) -> Json<BTreeMap<String, File>> {
    let mut last: BTreeMap<String, File> = BTreeMap::new();
    for TaskCounts { id, metrics, .. } in herder.counts() {
        let Some(file) = metrics.landed.last() else { continue };
        if last.get(&id.connector).is_none_or(|other| other.at <= file.at_ms) {
            last.insert(id.connector, File::new(id.task, file));
        }
    }
    Json(last)
}

/// The last files of a connector, the newest first.
async fn of_connector(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<Vec<File>> {
    herder.info(&name)?;
    let tasks = herder.counts().into_iter().filter(|task| task.id.connector == name);
    let files = tasks.flat_map(|task| task.metrics.landed.files().into_iter().map(move |file| File::new(task.id.task, file)));
    let mut files: Vec<_> = files.collect();
    files.sort_by_key(|file| std::cmp::Reverse((file.at, file.number)));
    files.truncate(50);
    Ok(Json(files))
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    r#type: String,
    nullable: bool,
}

/// The beginning of a file.
#[derive(Debug, Serialize)]
struct Beginning {
    path: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Option<String>>>,
    text: Option<String>,
    note: Option<String>,
}

async fn preview(State(herder): State<Herder>, Path((name, task, number)): Path<(String, usize, u64)>) -> Answer<Beginning> {
    let gone = || RestError::new(StatusCode::NOT_FOUND, format!("task {name}-{task} does not remember a file {number}"));
    let mut tasks = herder.counts().into_iter();
    let found = tasks.find(|counts| counts.id.connector == name && counts.id.task == task).ok_or_else(gone)?;
    let landed = &found.metrics.landed;
    let file = landed.files().into_iter().find(|file| file.number == number).ok_or_else(gone)?;
    let previews = landed.previews().ok_or_else(gone)?;
    let path = file.path.clone();
    let shown = tokio::task::spawn_blocking(move || previews.preview(&path)).await;
    let shown = shown.unwrap_or_else(|_| Err("the file cannot be read".to_owned()));
    let Preview { columns, rows, text, note } = shown.map_err(|why| RestError::new(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    let columns = columns.into_iter().map(|c| Column { name: c.name, r#type: c.kind, nullable: c.nullable }).collect();
    Ok(Json(Beginning { path: file.path, columns, rows, text, note }))
}
