//! `/connectors/{name}/tasks`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::model::{TaskInfo, TaskName, TaskState};
use super::{Answer, RestError};
use crate::herder::Herder;

pub(super) async fn list(State(herder): State<Herder>, Path(name): Path<String>) -> Answer<Vec<TaskInfo>> {
    let tasks = herder.task_configs(&name)?.into_iter().enumerate();
    let info = |(task, config)| TaskInfo { id: TaskName { connector: name.clone(), task }, config };
    Ok(Json(tasks.map(info).collect()))
}

/// A path whose number is none does not exist.
fn number(task: &str) -> Result<i32, RestError> {
    task.parse().map_err(|_| RestError::plain(StatusCode::NOT_FOUND))
}

pub(super) async fn status(State(herder): State<Herder>, Path((name, task)): Path<(String, String)>) -> Answer<TaskState> {
    let task = number(&task)?;
    let status = herder.task_status(&name, task)?;
    Ok(Json(TaskState::new(usize::try_from(task).ok(), status)))
}

pub(super) async fn restart(
    State(herder): State<Herder>,
    Path((name, task)): Path<(String, String)>,
) -> Result<StatusCode, RestError> {
    herder.restart_task(&name, number(&task)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
