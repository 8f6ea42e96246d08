//! Child processes that never outlive the demo, also when it is interrupted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a child and the interrupt flag are looked at.
const PULSE: Duration = Duration::from_millis(10);

/// Set by Ctrl-C, SIGTERM and SIGHUP, which then no longer end this process by themselves: a second one does.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// # Errors
    /// When the system takes no signal handlers.
    pub fn listen() -> io::Result<Self> {
        let flag = Self::default();
        #[cfg(unix)]
        let signals = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP];
        #[cfg(not(unix))]
        let signals = [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];
        for signal in signals {
            // First in, first called: ends the process when the flag is set already.
            signal_hook::flag::register_conditional_default(signal, flag.0.clone())?;
            signal_hook::flag::register(signal, flag.0.clone())?;
        }
        Ok(flag)
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// When the person has interrupted.
    pub fn check(&self) -> io::Result<()> {
        if self.is_set() { Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")) } else { Ok(()) }
    }
}

/// A running child, killed when dropped.
pub struct Guarded {
    child: Child,
    interrupt: Interrupt,
}

impl Guarded {
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(command: &mut Command, interrupt: &Interrupt) -> io::Result<Self> {
        interrupt.check()?;
        Ok(Self { child: command.stdin(Stdio::null()).spawn()?, interrupt: interrupt.clone() })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the person has interrupted.
    pub fn poll(&mut self) -> io::Result<Option<ExitStatus>> {
        self.interrupt.check()?;
        self.child.try_wait()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the person has interrupted, or it takes longer than `patience`.
    pub fn wait(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            if start.elapsed() > patience {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("it did not end within {patience:?}")));
            }
            sleep(PULSE);
        }
    }

    /// Asks it to end: SIGTERM, or an end at once where there are no signals.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn terminate(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        {
            let pid = rustix::process::Pid::from_child(&self.child);
            Ok(rustix::process::kill_process(pid, rustix::process::Signal::TERM)?)
        }
        #[cfg(not(unix))]
        self.child.kill()
    }

    /// Calls `is_ready` until it holds.
    ///
    /// # Errors
    /// When the child ends first, the person interrupts, or it takes longer than `patience`.
    pub fn wait_until(&mut self, patience: Duration, mut is_ready: impl FnMut() -> bool) -> io::Result<()> {
        let start = Instant::now();
        while !is_ready() {
            if let Some(status) = self.poll()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            if start.elapsed() > patience {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("it was not ready within {patience:?}")));
            }
            sleep(PULSE);
        }
        Ok(())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file that a service's output goes to.
#[derive(Clone, Debug)]
pub struct Log(pub PathBuf);

impl Log {
    /// Makes the file and sends both streams of `command` to it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn capture(path: &Path, command: &mut Command) -> io::Result<Self> {
        let file = fs::File::create(path)?;
        command.stdout(file.try_clone()?).stderr(file);
        Ok(Self(path.to_owned()))
    }

    /// The last lines, oldest first.
    pub fn last(&self, lines: usize) -> Vec<String> {
        let text = fs::read(&self.0).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<_> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect()
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Guarded {
        Guarded::spawn(Command::new("sh").args(["-c", script]), &Interrupt::default()).unwrap()
    }

    fn is_alive(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}/exe")).exists()
            || Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap().status.success()
    }

    #[test]
    fn a_dropped_child_is_dead() {
        let child = shell("sleep 60");
        let pid = child.id();
        assert!(is_alive(pid));
        drop(child);
        assert!(!is_alive(pid));
    }

    #[test]
    fn sigterm_reaches_it_and_its_end_is_seen() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done"]);
        let log = Log::capture(log.path(), &mut command).unwrap();
        let mut child = Guarded::spawn(&mut command, &Interrupt::default()).unwrap();
        child.wait_until(Duration::from_secs(10), || log.last(1) == ["ready"]).unwrap();
        child.terminate().unwrap();
        assert_eq!(child.wait(Duration::from_secs(10)).unwrap().code(), Some(3));
        assert_eq!(log.last(5), ["ready", "bye"]);
    }

    #[test]
    fn waiting_ends_when_it_dies_hangs_or_the_person_interrupts() {
        let error = shell("exit 7").wait_until(Duration::from_secs(10), || false).unwrap_err();
        assert!(error.to_string().contains("it ended with exit status: 7"), "{error}");
        let error = shell("sleep 60").wait(Duration::from_millis(30)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut child = shell("sleep 60");
        child.interrupt.0.store(true, Ordering::Relaxed);
        assert_eq!(child.wait(Duration::from_secs(10)).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}
