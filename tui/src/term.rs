//! The terminal: taken and always given back, whatever ends us; its keys, its going away, its size.
//!
//! Invariant: after quit, panic, a signal or suspension the terminal is as the shell left it.
use crate::app::key::Key;
use crossterm::{
    cursor, event,
    event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    execute, terminal,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::{Terminal, backend::CrosstermBackend};
use std::{
    io::{self, Stdout, Write},
    os::fd::AsFd,
    sync::Once,
};
use tokio::sync::oneshot;

/// The screen to draw on.
pub(crate) type Screen = Terminal<CrosstermBackend<Stdout>>;

static PANIC_HOOK: Once = Once::new();

/// Takes the terminal.
///
/// # Errors
/// It isn't one, or it has gone.
pub(crate) fn take() -> io::Result<Screen> {
    PANIC_HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            usual(panic);
            // A console without its link task would show a still picture as if it were alive.
            std::process::exit(101);
        }));
    });
    enter()?;
    fresh()
}

/// An empty screen. The library's own `clear` asks the terminal where its cursor is and waits two seconds for an answer
/// that a slow or dead terminal never gives; a new one asks nothing.
fn fresh() -> io::Result<Screen> {
    execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))?;
    Terminal::new(CrosstermBackend::new(io::stdout()))
}

/// Forgets what is on the screen, so that all of it is drawn anew.
///
/// # Errors
/// The terminal has gone.
pub(crate) fn redraw(screen: &mut Screen) -> io::Result<()> {
    *screen = fresh()?;
    Ok(())
}

fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    execute!(io::stdout(), terminal::EnterAlternateScreen, event::EnableBracketedPaste, cursor::Hide)
}

/// Gives the terminal back. Errors are of no use here: it may have gone.
pub(crate) fn give_back() {
    let _ = execute!(io::stdout(), event::DisableBracketedPaste, terminal::LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
    let _ = io::stdout().flush();
}

/// Suspends this process as Ctrl-Z does in a shell, and takes the terminal again when it is continued.
///
/// # Errors
/// The terminal has gone meanwhile.
pub(crate) fn suspend(screen: &mut Screen) -> io::Result<()> {
    give_back();
    // Without a shell above us the kernel ignores it, and we simply come back.
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP).map_err(io::Error::from)?;
    resume(screen)
}

/// Takes the terminal again after somebody else stopped and continued us.
///
/// # Errors
/// The terminal has gone meanwhile.
pub(crate) fn resume(screen: &mut Screen) -> io::Result<()> {
    enter()?;
    redraw(screen)
}

/// Tells when the terminal goes away: the library that reads keys would only spin then.
#[must_use]
pub(crate) fn gone() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let stdin = io::stdin();
        loop {
            // No event is asked for: only hang-up and errors are reported.
            let mut watched = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
            match poll(&mut watched, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => {}
                Ok(_) | Err(_) => break,
            }
        }
        let _ = tell.send(());
    });
    told
}

/// What the terminal says, in the console's words; `None` for what it doesn't care about.
#[must_use]
pub(crate) fn translate(event: Event) -> Option<crate::app::Msg> {
    use crate::app::Msg;
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => translate_key(key).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
        Event::Key(_) | Event::Mouse(_) | Event::FocusGained | Event::FocusLost => None,
    }
}

fn translate_key(key: KeyEvent) -> Option<Key> {
    let is_ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    Some(match key.code {
        KeyCode::Char(c) if is_ctrl => Key::Ctrl(c.to_ascii_lowercase()),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        _ => return None,
    })
}
