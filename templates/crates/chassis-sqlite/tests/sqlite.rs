//! A database that is late, locked, gone or another one.

use std::path::PathBuf;
use std::time::Duration;

use chassis_sqlite::{Sqlite, Step, check, is_unavailable, open};
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::time::sleep;

const SCHEMA: &[Step] = &[(1, "notes", "CREATE TABLE notes (text TEXT NOT NULL)")];

/// A directory of its own, removed afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let directory = format!("chassis-sqlite-{test}-{}", std::process::id());
        Self(std::env::temp_dir().join(directory))
    }

    fn file(&self) -> PathBuf {
        self.0.join("data/notes.db")
    }

    fn config(&self) -> Sqlite {
        Sqlite {
            path: self.file().display().to_string(),
            max_connections: 2,
            acquire_timeout: Duration::from_millis(500),
            busy_timeout: Duration::from_millis(50),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn write(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let written = sqlx::query("INSERT INTO notes VALUES ('x')").execute(pool);
    written.await.map(|_| ())
}

async fn count(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM notes")
        .fetch_one(pool)
        .await
}

#[tokio::test]
async fn a_locked_database_is_waited_for_at_the_start() {
    let scratch = Scratch::new("locked");
    drop(open(&scratch.config(), &[]).await.unwrap());
    let mut other = SqliteConnection::connect(&scratch.config().path)
        .await
        .unwrap();
    sqlx::query("BEGIN EXCLUSIVE")
        .execute(&mut other)
        .await
        .unwrap();
    let config = scratch.config();
    let opening = tokio::spawn(async move { open(&config, SCHEMA).await.unwrap() });
    sleep(Duration::from_millis(300)).await;
    assert!(!opening.is_finished());
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    write(&opening.await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_yet_is_waited_for_at_the_start() {
    let scratch = Scratch::new("late");
    // Something else is where its directory is to be.
    std::fs::write(&scratch.0, "").unwrap();
    let config = scratch.config();
    let opening = tokio::spawn(async move { open(&config, SCHEMA).await.unwrap() });
    sleep(Duration::from_millis(100)).await;
    assert!(!opening.is_finished());
    std::fs::remove_file(&scratch.0).unwrap();
    write(&opening.await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_schema_of_a_later_version_is_refused_at_once() {
    let scratch = Scratch::new("later");
    drop(open(&scratch.config(), SCHEMA).await.unwrap());
    let error = open(&scratch.config(), &[]).await.unwrap_err().to_string();
    assert!(error.contains("cannot bring up to date"), "{error}");
    assert!(error.contains("store.path"), "{error}");
}

/// Its volume is unmounted and mounted again, or its file is taken from a backup.
#[tokio::test]
async fn a_database_that_is_gone_is_unavailable_and_in_use_again_when_it_is_back() {
    let scratch = Scratch::new("gone");
    let pool = open(&scratch.config(), SCHEMA).await.unwrap();
    let ready = check(pool.clone());
    write(&pool).await.unwrap();
    ready().await.unwrap();
    let (data, away) = (scratch.0.join("data"), scratch.0.join("away"));
    for emptied in [false, true] {
        std::fs::rename(&data, &away).unwrap();
        if emptied {
            std::fs::create_dir(&data).unwrap();
        }
        for failed in [write(&pool).await, count(&pool).await.map(|_| ())] {
            assert!(is_unavailable(&failed.unwrap_err()));
        }
        assert!(ready().await.is_err());
        assert!(!scratch.file().exists(), "no empty one takes its place");
        if emptied {
            std::fs::remove_dir(&data).unwrap();
        }
        std::fs::rename(&away, &data).unwrap();
        write(&pool).await.unwrap();
        ready().await.unwrap();
    }
    assert_eq!(count(&pool).await.unwrap(), 3);
    // Another file under its name: from now on what is read and written is there.
    let copy = scratch.0.join("copy");
    sqlx::query("VACUUM INTO ?")
        .bind(copy.display().to_string())
        .execute(&pool)
        .await
        .unwrap();
    write(&pool).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        _ = std::fs::remove_file(format!("{}{suffix}", scratch.file().display()));
    }
    std::fs::rename(copy, scratch.file()).unwrap();
    assert_eq!(count(&pool).await.unwrap(), 3);
    write(&pool).await.unwrap();
    assert_eq!(count(&pool).await.unwrap(), 4);
}
