// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The clients, how each is started, and what its picture must have. Each demand fails on a black screen.
//!
//! Source: the manual pages of the programs.

use super::facts::{Colour, Picture};

/// The packages of all clients, and fonts.
pub(super) const PACKAGES: &[&str] = &[
    "libdrm-tests",
    "drm-info",
    "kmscube",
    "weston",
    "cage",
    "sway",
    "swaybg",
    "foot",
    "xserver-xorg-core",
    "x11-xserver-utils",
    "xterm",
    "fonts-dejavu-core",
];

/// Checks a picture. The error says what differs.
pub(super) type Check = fn(&Picture) -> Result<(), String>;

/// A client.
pub(super) struct Client {
    /// The name of its case.
    pub(super) name: &'static str,
    /// The lines of a shell that start it, after [`PRELUDE`].
    pub(super) script: &'static str,
    /// Parts of its output.
    pub(super) says: &'static [&'static str],
    /// The check of its picture. Without one, the client shows nothing.
    pub(super) shows: Option<Check>,
    /// Whether it, and not the kernel, opens the device.
    pub(super) opens_device: bool,
    /// Whether it needs a plane for the cursor.
    pub(super) needs_cursor: bool,
    /// Whether it may still draw when it has committed, and then commit no more. Mesa's software renderer draws in threads, and
    /// wlroots does not wait for them. A display that copies what is committed then lacks a part of the picture.
    pub(super) may_draw_late: bool,
    /// Its reaction when its device is taken away.
    pub(super) reaction: Reaction,
}

/// A reaction to the loss of the device.
#[derive(Clone, Copy)]
pub(super) enum Reaction {
    /// Reports an error in one of these texts.
    Says(&'static [&'static str]),
    /// Waits for something else. It is ended then.
    Waits,
}

/// Functions for all scripts, in which `DRIVER` is the name that the device reports: the status of a client, the start of a
/// program of the checkout, which the agent has in its root, the numbers of the mode objects, and the start of Weston with a
/// client that waits for it.
pub(super) const PRELUDE: &str = r#"
ended() { "$@"; status=$?; echo "ended with $status"; return $status; }
guest() { root=/proc/1/root; exec $root/usr/bin/"$@"; }
connector() { modetest -M $DRIVER -c | awk '$3 == "connected" { print $1; exit }'; }
crtc() { modetest -M $DRIVER -p | awk '/^CRTCs/ { getline; getline; print $1; exit }'; }
cursor() {
    modetest -M $DRIVER -p | awk '/^Planes/ { planes = 1 } planes && /^[0-9]/ { id = $1 }
        / type:$/ { type = 1 } type && /value:/ { if ($2 == 2) { print id; exit } type = 0 }'
}
bars() { m=$(connector)@$(crtc); exec modetest -M $DRIVER -s $m:1024x768 "$@"; }
weston_with() {
    printf '[core]\nidle-time=0\n[shell]\nbackground-color=0xff336699\npanel-position=top\nclock-format=seconds\n' >/tmp/weston.ini
    renderer=$1; shift
    rm -f $XDG_RUNTIME_DIR/w
    weston -B drm -c /tmp/weston.ini --continue-without-input --socket=w --renderer=$renderer & weston=$!
    until [ -S $XDG_RUNTIME_DIR/w ]; do sleep 0.1; done
    WAYLAND_DISPLAY=w "$@" &
    ended wait $weston
}
"#;

/// The background of every desktop here.
const BACKGROUND: Colour = [0x33, 0x66, 0x99];

/// The background of a terminal.
const TERMINAL: Colour = [0x99, 0x33, 0x33];

const BASE: Client = Client {
    name: "",
    script: "",
    says: &[],
    shows: None,
    opens_device: true,
    needs_cursor: false,
    may_draw_late: false,
    reaction: Reaction::Waits,
};

/// The words of wlroots when udev reports that the device is gone, and it gives up what it had there.
const WITHOUT_DEVICE: Reaction = Reaction::Says(&["Failed to close FB: No such device"]);

/// Weston's words about a frame that it cannot show. Its clock has it show one each second.
const WITHOUT_FRAMES: Reaction = Reaction::Says(&["couldn't commit new state: No such device"]);

/// Weston's words with OpenGL.
const WITHOUT_FRAMES_GL: Reaction = Reaction::Says(&["couldn't commit new state: No such device", CRASH]);

/// The end of a client that draws with OpenGL on GBM's buffers. Mesa's software renderer has none for the next frame if the driver
/// creates none, and client or Mesa take that for granted (SIGSEGV).
const CRASH: &str = "ended with 139";

/// All clients. The console is first: nothing has used the screen before.
pub(super) const CLIENTS: &[Client] = &[
    Client {
        name: "fbcon",
        script: r"printf '\033[H\033[2J\033[31mred\033[0m and grey\n' >/dev/tty1; exec sleep infinity",
        shows: Some(|picture| {
            picture.has_some(20, "red", |colour| colour == [170, 0, 0])?;
            picture.has_some(40, "grey", |colour| colour == [170, 170, 170])?;
            picture.has([0, 0, 0], 90..=99)
        }),
        opens_device: false,
        ..BASE
    },
    Client {
        name: "drm_info",
        // Again and again, so that there is a middle in which its device can be taken away. It crashes if the device goes while it
        // asks (SIGSEGV), so it is asked once more.
        script: "while drm_info /dev/dri/card0 || [ -e /dev/dri/card0 ]; do :; done; exec drm_info /dev/dri/card0",
        says: &["Driver: ", "Connector 0", "\"CRTC_ID\" (atomic)", "XRGB8888"],
        reaction: Reaction::Says(&["/dev/dri/card0: No such file or directory"]),
        ..BASE
    },
    Client {
        name: "modetest",
        script: "bars",
        shows: Some(|picture| picture.is_of_size(1024, 768).and(picture.has_bars(0..=0))),
        ..BASE
    },
    Client {
        name: "modetest_smaller_mode",
        script: "m=$(connector)@$(crtc); exec modetest -M $DRIVER -s $m:800x600",
        shows: Some(|picture| picture.is_of_size(800, 600).and(picture.has_bars(0..=0))),
        ..BASE
    },
    Client {
        name: "modetest_every_mode",
        // It ends when its input ends, and reports a mode that is refused by words alone.
        script: r#"m=$(connector)@$(crtc)
            for mode in $(modetest -M $DRIVER -c | awk '$1 ~ /^#[0-9]+$/ { print $1 }'); do
                said=$(modetest -M $DRIVER -s $m:$mode </dev/null 2>&1)
                case $said in *ailed*) echo "$said"; exit 1;; *'setting mode'*) ;; *) echo "$said"; exit 1;; esac
            done
            echo "every mode was set, the last by $mode"; bars"#,
        says: &["every mode was set, the last by #"],
        shows: Some(|picture| picture.is_of_size(1024, 768).and(picture.has_bars(0..=0))),
        ..BASE
    },
    Client {
        name: "modetest_flips",
        script: "bars -v",
        says: &["freq: "],
        // Its flips fail without a word, and it waits for their events.
        reaction: Reaction::Says(&["select timed out"]),
        shows: Some(|picture| picture.has_bars(0..=0)),
        ..BASE
    },
    Client {
        name: "modetest_cursor",
        script: "bars -C",
        // It moves, and is as large as the driver allows.
        shows: Some(|picture| picture.has_bars(500..=300_000)),
        needs_cursor: true,
        ..BASE
    },
    Client {
        name: "modetest_plane",
        script: "p=$(cursor)@$(crtc); bars -P $p:64x64+100+50@AR24",
        // Parts of the plane's own picture have the colours below it, or are transparent.
        shows: Some(|picture| picture.has_bars(1024..=4096)),
        needs_cursor: true,
        ..BASE
    },
    Client {
        name: "modetest_atomic",
        script: "p=$(modetest -M $DRIVER -p | awk '/^Planes/ { getline; getline; print $1; exit }'); \
                 m=$(connector)@$(crtc); exec modetest -M $DRIVER -a -s $m:1024x768 -P $p@${m#*@}:1024x768",
        shows: Some(|picture| picture.is_of_size(1024, 768).and(picture.has_bars(0..=0))),
        ..BASE
    },
    Client {
        name: "kmscube",
        script: "ended kmscube -D /dev/dri/card0",
        shows: Some(cube),
        reaction: Reaction::Says(&["failed to queue page flip: No such device", CRASH]),
        ..BASE
    },
    Client {
        name: "kmscube_atomic",
        script: "ended kmscube -A -D /dev/dri/card0",
        shows: Some(cube),
        reaction: Reaction::Says(&["failed to commit: No such device", CRASH]),
        ..BASE
    },
    Client {
        name: "weston_pixman",
        script: "weston_with pixman true",
        shows: Some(|picture| picture.has(BACKGROUND, 90..=98).and(panel(picture))),
        reaction: WITHOUT_FRAMES,
        ..BASE
    },
    Client {
        name: "weston_gl",
        script: "weston_with gl true",
        shows: Some(|picture| picture.has(BACKGROUND, 90..=98).and(panel(picture))),
        reaction: WITHOUT_FRAMES_GL,
        ..BASE
    },
    Client {
        name: "weston_terminal",
        script: "weston_with pixman weston-terminal",
        shows: Some(|picture| {
            picture.has(BACKGROUND, 30..=85)?;
            picture.has([0, 0, 0], 8..=60)?;
            panel(picture)
        }),
        reaction: WITHOUT_FRAMES,
        ..BASE
    },
    Client {
        name: "weston_simple_egl",
        script: "weston_with gl weston-simple-egl",
        shows: Some(|picture| {
            picture.has(BACKGROUND, 60..=95)?;
            picture.has_some(50, "reddish", |[red, green, blue]| red > 150 && green < 80 && blue < 80)?;
            picture.has_some(50, "greenish", |[red, green, blue]| green > 150 && red < 80 && blue < 80)?;
            picture.has_some(50, "bluish", |[red, green, blue]| blue > 150 && red < 80 && green < 80)
        }),
        reaction: WITHOUT_FRAMES_GL,
        ..BASE
    },
    Client {
        name: "cage_pixman",
        script: "export WLR_RENDERER=pixman; exec cage -- foot -o colors.background=993333",
        shows: Some(|picture| picture.has(TERMINAL, 90..=99)),
        reaction: WITHOUT_DEVICE,
        ..BASE
    },
    Client {
        name: "cage_gl",
        script: "export WLR_RENDERER=gles2; exec cage -- foot -o colors.background=993333",
        may_draw_late: true,
        shows: Some(|picture| picture.has(TERMINAL, 90..=99)),
        reaction: WITHOUT_DEVICE,
        ..BASE
    },
    Client {
        name: "sway",
        script: r#"printf '%s\n' 'output * bg #336699 solid_color' 'for_window [app_id="foot"] floating enable' \
            'exec foot -o colors.background=993333' >/tmp/sway.conf
            export WLR_RENDERER=pixman; exec sway -c /tmp/sway.conf"#,
        shows: Some(|picture| picture.has(BACKGROUND, 20..=90).and(picture.has(TERMINAL, 10..=70))),
        reaction: WITHOUT_DEVICE,
        ..BASE
    },
    Client {
        name: "xorg_changes_modes",
        // The server leaves its process group unless it leads it.
        script: "export DISPLAY=:0
            {
                until xrandr >/dev/null 2>&1; do sleep 0.1; done
                o=$(xrandr | awk '/ connected/ { print $1; exit }')
                xsetroot -solid '#336699'
                xterm -fa Monospace -bg '#993333' -geometry 60x20+100+100 &
                xrandr --output $o --mode 640x480 && xrandr --output $o --mode 800x600 && xrandr
            } &
            exec Xorg :0 -noreset",
        says: &["current 800 x 600"],
        shows: Some(|picture| {
            picture.is_of_size(800, 600)?;
            picture.has(BACKGROUND, 50..=95)?;
            picture.has(TERMINAL, 5..=40)
        }),
        ..BASE
    },
    Client { name: "rust_legacy", script: "guest drydock-client --show legacy", shows: Some(quarters), ..RUST },
    Client { name: "rust_atomic", script: "guest drydock-client --show atomic", shows: Some(quarters), ..RUST },
    Client {
        name: "rust_legacy_cursor",
        script: "guest drydock-client --show legacy --cursor",
        shows: Some(quarters_and_cursor),
        needs_cursor: true,
        ..RUST
    },
    Client {
        name: "rust_atomic_cursor",
        script: "guest drydock-client --show atomic --cursor",
        shows: Some(quarters_and_cursor),
        needs_cursor: true,
        ..RUST
    },
    Client {
        name: COMPOSITOR,
        script: "guest drydock-compositor",
        says: &["10 frames were shown"],
        shows: Some(|picture| {
            picture.has(BACKGROUND, 95..=99)?;
            picture.has_some(1000, "white", |colour| colour == [255, 255, 255])
        }),
        reaction: Reaction::Says(&["The display is gone"]),
        ..BASE
    },
];

/// The name of the client that is built on Smithay.
pub(super) const COMPOSITOR: &str = "smithay";

/// The client on the crate `drm`: guest/client/src/show.rs.
const RUST: Client =
    Client { says: &["10 pictures were shown"], reaction: Reaction::Says(&["The display is gone after"]), ..BASE };

/// Checks the quarters of the Rust client, and its white square. The square moves while the picture is taken.
fn quarters(picture: &Picture) -> Result<(), String> {
    picture.has_quarters([[192, 0, 0], [0, 192, 0], [0, 0, 192], [128, 128, 128]], 500..=6500)?;
    picture.has_some(500, "white", |colour| colour == [255, 255, 255])
}

/// Checks its cursor as well, all of it.
fn quarters_and_cursor(picture: &Picture) -> Result<(), String> {
    quarters(picture)?;
    picture.has_some(4096, "magenta", |colour| colour == [255, 0, 255])
}

/// Checks the cube: a grey background, and colours that change across its faces.
fn cube(picture: &Picture) -> Result<(), String> {
    picture.has([128, 128, 128], 50..=95).and(picture.has_colours(1000))
}

/// Checks the panel of Weston's desktop, which is dark and has a clock.
fn panel(picture: &Picture) -> Result<(), String> {
    picture.has_some(10_000, "dark", |[red, green, blue]| red < 80 && green < 80 && blue < 80)?;
    picture.has_colours(20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_is_checked_and_no_black_screen_passes() {
        for Client { name, says, shows, .. } in CLIENTS {
            assert!(shows.is_some() || !says.is_empty(), "{name}");
            // The sizes of all demands, so that no other size is the reason.
            for (width, height) in [(1024, 768), (800, 600)] {
                let black = Picture::plain(width, height, [0, 0, 0]);
                assert!(shows.is_none_or(|shows| shows(&black).is_err()), "{name}");
            }
        }
    }
}
