//! Log lines go to standard output by way of a thread of their own: a request never waits for whoever reads them. Lines
//! are written in batches. When the reader is so slow that the buffer is full, lines are dropped and counted.

use std::io::Write;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chassis::metrics::{Counter, register};

/// Lines that wait to be written may take so many bytes.
const CAPACITY: usize = 4 << 20;
/// A batch collects for so long: then a busy service writes a few hundred times a second, not once for each line.
const BATCH: Duration = Duration::from_millis(5);
/// The end of the process waits for the reader for so long at most.
const PATIENCE: Duration = Duration::from_secs(1);

static DROPPED: LazyLock<Counter> = LazyLock::new(|| {
    register(
        "log_lines_dropped",
        "Log lines that nobody read in time",
        Counter::default(),
    )
});

/// Takes lines and never waits. Clones share it.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// There are lines, or somebody waits for them to be written.
    wanted: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    writing: bool,
    in_a_hurry: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `out`.
    pub fn start(out: impl Write + Send + 'static) -> std::io::Result<Self> {
        LazyLock::force(&DROPPED);
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wanted: Condvar::new(),
            written: Condvar::new(),
        });
        let writer = shared.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.write_to(out))?;
        Ok(Self(shared))
    }

    /// A whole line, with its line feed.
    pub fn write(&self, line: &[u8]) {
        let mut state = self.0.lock();
        if state.waiting.len() + line.len() > CAPACITY {
            DROPPED.inc();
            return;
        }
        let is_first = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if is_first {
            self.0.wanted.notify_one();
        }
    }

    /// Waits until all lines are written, for a moment at most.
    pub fn flush(&self) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.0.lock();
        state.in_a_hurry = true;
        self.0.wanted.notify_one();
        while state.writing || !state.waiting.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.0.written.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() {
                state.in_a_hurry = false;
                self.written.notify_all();
                state = self
                    .wanted
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if !state.in_a_hurry {
                let more = self
                    .wanted
                    .wait_timeout_while(state, BATCH, |state| !state.in_a_hurry);
                state = more.unwrap_or_else(PoisonError::into_inner).0;
            }
            std::mem::swap(&mut batch, &mut state.waiting);
            state.writing = true;
            drop(state);
            // There is no other place to say that standard output is gone.
            _ = out.write_all(&batch).and_then(|()| out.flush());
            batch.clear();
            self.lock().writing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Passes on what is written, when it is allowed to.
    struct Pipe {
        sent: mpsc::Sender<Vec<u8>>,
        open: Arc<Mutex<()>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            drop(self.open.lock());
            _ = self.sent.send(bytes.to_owned());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn piped() -> (LogWriter, mpsc::Receiver<Vec<u8>>, Arc<Mutex<()>>) {
        let (sent, received) = mpsc::channel();
        let open = Arc::new(Mutex::new(()));
        let pipe = Pipe {
            sent,
            open: open.clone(),
        };
        (LogWriter::start(pipe).unwrap(), received, open)
    }

    #[test]
    fn all_lines_are_written_in_order_and_in_few_pieces() {
        let (writer, received, _) = piped();
        let lines: Vec<String> = (0..1000).map(|number| format!("line {number}\n")).collect();
        lines.iter().for_each(|line| writer.write(line.as_bytes()));
        writer.flush();
        let pieces: Vec<Vec<u8>> = received.try_iter().collect();
        assert_eq!(pieces.concat(), lines.concat().into_bytes());
        assert!(pieces.len() < 100, "{} pieces", pieces.len());
    }

    #[test]
    fn a_reader_that_stands_still_stops_nobody_and_lines_beyond_the_buffer_are_counted() {
        let (writer, received, open) = piped();
        let closed = open.lock().unwrap();
        let before = DROPPED.get();
        let line = [b'x'; 1024];
        let began = Instant::now();
        for _ in 0..3 * CAPACITY / line.len() {
            writer.write(&line);
        }
        assert!(began.elapsed() < PATIENCE, "writing waits for nobody");
        let dropped = DROPPED.get() - before;
        assert!(dropped > 0);
        drop(closed);
        writer.flush();
        let written = received.try_iter().map(|piece| piece.len()).sum::<usize>() / line.len();
        assert_eq!(written + dropped as usize, 3 * CAPACITY / line.len());
    }
}
