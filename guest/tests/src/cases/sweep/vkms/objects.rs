// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Framebuffers, buffers, blobs, leases and vblanks: what a client makes beside commits.
//!
//! Source: drm_framebuffer.c, drm_property.c, drm_lease.c, drm_vblank.c in drivers/gpu/drm (Linux 7.3).

use uapi::CLOEXEC;
use uapi::mode::*;

use super::Screen;
use crate::harness::check::Outcome;
use crate::subjects::display::Frame;
use crate::sweeps::calls::OPEN;
use crate::sweeps::common::RECORD;
use crate::sweeps::operation::{EVENT, OF_MEMORY, Operation};
use crate::{same, works};

pub(super) fn table() -> Vec<Operation<Screen>> {
    vec![
        add("ADDFB2", |screen| screen.display.file.add_fb2(screen.frame.command(XRGB8888))),
        add("ADDFB2 with a modifier", |screen| {
            let command = FbCmd2 { flags: FB_MODIFIERS, ..screen.frame.command(XRGB8888) };
            screen.display.file.add_fb2(command)
        }),
        add("ADDFB", |screen| {
            let Frame { handle, pitch, size: (width, height), .. } = screen.frame;
            screen.display.file.add_fb(FbCmd { width, height, pitch, bpp: 32, depth: 24, handle, ..Default::default() })
        }),
        remove("RMFB", |screen, fb| screen.display.file.remove_fb(fb)),
        remove("CLOSEFB", |screen, fb| screen.display.file.close_fb(fb)),
        remove_shown("RMFB of what is shown", |screen, fb| screen.display.file.remove_fb(fb), true),
        remove_shown("CLOSEFB of what is shown", |screen, fb| screen.display.file.close_fb(fb), false),
        get(),
        dumb(),
        Operation::on_object("MODE_MAP_DUMB", |screen: &Screen, handle| {
            screen.display.file.map_offset(handle).map(drop)
        }),
        Operation::new(
            "CREATEPROPBLOB",
            |_| Ok(0),
            |screen: &Screen, blob| {
                *blob = screen.display.file.create_blob(&[7; 1000])?;
                Ok(())
            },
            |screen, blob, done| {
                if done {
                    works!(screen.display.file.destroy_blob(blob));
                }
                Ok(())
            },
        ),
        Operation::new(
            "DESTROYPROPBLOB",
            |screen: &Screen| Ok(works!(screen.display.file.create_blob(b"blob"))),
            |screen, blob| screen.display.file.destroy_blob(*blob),
            |screen, blob, done| {
                if !done {
                    works!(screen.display.file.destroy_blob(blob));
                }
                Ok(())
            },
        ),
    ]
}

/// Describes a call that makes a framebuffer of the buffer that is shown.
fn add(name: &'static str, call: fn(&Screen) -> sys::Answer<u32>) -> Operation<Screen> {
    Operation::new(
        name,
        |_| Ok(0),
        move |screen: &Screen, fb| {
            *fb = call(screen)?;
            Ok(())
        },
        |screen, fb, done| {
            if done {
                works!(screen.display.file.remove_fb(fb));
            }
            Ok(())
        },
    )
}

/// Describes a call that takes a framebuffer away which is not shown.
fn remove(name: &'static str, call: fn(&Screen, u32) -> sys::Answer) -> Operation<Screen> {
    Operation::new(
        name,
        |screen: &Screen| Ok(works!(screen.display.file.add_fb2(screen.frame.command(XRGB8888)))),
        move |screen, fb| call(screen, *fb),
        |screen, fb, done| {
            if !done {
                works!(screen.display.file.remove_fb(fb));
            }
            Ok(())
        },
    )
}

/// Describes a call that takes a framebuffer away which is shown. C takes it from its plane by a commit in a worker, where no
/// call fails: C itself cannot tolerate that.
fn remove_shown(name: &'static str, call: fn(&Screen, u32) -> sys::Answer, goes: bool) -> Operation<Screen> {
    Operation::new(
        name,
        |screen: &Screen| {
            let fb = works!(screen.display.file.add_fb2(screen.frame.command(XRGB8888)));
            works!(screen.display.commit(&screen.lit(&Frame { fb, ..screen.frame }), 0, 0));
            Ok(fb)
        },
        move |screen, fb| call(screen, *fb),
        move |screen, fb, done| {
            same!(screen.shown()?, if done && goes { 0 } else { fb });
            if !done {
                works!(screen.display.file.remove_fb(fb));
            }
            screen.restore()
        },
    )
}

fn get() -> Operation<Screen> {
    Operation::new(
        "GETFB2",
        |_| Ok(0),
        |screen: &Screen, handle| {
            *handle = screen.display.file.get_fb2(screen.frame.fb)?.handles[0];
            Ok(())
        },
        |screen, handle, done| {
            // The buffer has the handle that it had.
            if done && handle != screen.frame.handle {
                works!(screen.display.file.gem_close(handle));
            }
            Ok(())
        },
    )
    .stands(&[RECORD])
}

fn dumb() -> Operation<Screen> {
    Operation::new(
        "MODE_CREATE_DUMB",
        |_| Ok(0),
        |screen: &Screen, handle| {
            *handle = screen.display.file.create_dumb(64, 64, 32)?.handle;
            Ok(())
        },
        |screen, handle, done| {
            if done {
                works!(screen.display.file.destroy_dumb(handle));
            }
            Ok(())
        },
    )
    .wants(OF_MEMORY)
}

/// The objects of the output.
fn objects(screen: &Screen) -> Vec<u32> {
    let output = screen.output();
    let planes = output.planes().map(|plane| plane.id);
    [output.crtc.id, output.connector.id].into_iter().chain(planes).collect()
}

pub(super) fn leases_and_events() -> Vec<Operation<Screen>> {
    vec![
        Operation::new(
            "CREATE_LEASE",
            |screen: &Screen| Ok((objects(screen), None)),
            |screen, (objects, made)| {
                *made = Some(screen.display.file.create_lease(objects, CLOEXEC)?.1);
                Ok(())
            },
            |screen, (objects, made), done| {
                same!(works!(screen.display.file.lessees()).len(), usize::from(done));
                drop(made);
                // The lease ends with its file.
                let (lessee, _file) = works!(screen.display.file.create_lease(&objects, CLOEXEC));
                works!(screen.display.file.revoke_lease(lessee));
                no_lessee(screen)
            },
        )
        // The lessee's file is opened within the call.
        .stands(OPEN.stands),
        Operation::new(
            "LIST_LESSEES",
            |screen: &Screen| Ok(works!(screen.display.file.create_lease(&objects(screen), CLOEXEC))),
            |screen, _| screen.display.file.lessees().map(drop),
            |screen, lease, _| {
                drop(lease);
                no_lessee(screen)
            },
        ),
        Operation::new(
            "GET_LEASE",
            |screen: &Screen| Ok(works!(screen.display.file.create_lease(&objects(screen), CLOEXEC))),
            |_, (_, lessee)| lessee.lease().map(drop),
            |screen, lease, _| {
                drop(lease);
                no_lessee(screen)
            },
        ),
        Operation::new(
            "REVOKE_LEASE",
            |screen: &Screen| Ok(works!(screen.display.file.create_lease(&objects(screen), CLOEXEC))),
            |screen, (lessee, _)| screen.display.file.revoke_lease(*lessee),
            |screen, (_, file), done| {
                same!(works!(file.lease()).is_empty(), done);
                drop(file);
                no_lessee(screen)
            },
        ),
        event("CRTC_QUEUE_SEQUENCE", |screen| {
            screen.display.file.queue_sequence(screen.output().crtc.id, SEQUENCE_RELATIVE, 1, 7).map(drop)
        }),
        event("WAIT_VBLANK with an event", |screen| {
            let kind = VBLANK_RELATIVE | VBLANK_EVENT;
            screen.display.file.wait_vblank(kind, screen.output().pipe, 1, 7).map(drop)
        }),
        Operation::alone("WAIT_VBLANK", |screen: &Screen| {
            screen.display.file.wait_vblank(VBLANK_RELATIVE, screen.output().pipe, 1, 0).map(drop)
        }),
        read(),
    ]
}

/// Checks that everything that was leased is back.
fn no_lessee(screen: &Screen) -> Outcome {
    same!(works!(screen.display.file.lessees()), Vec::<u32>::new());
    Ok(())
}

/// Describes a call that asks for an event.
fn event(name: &'static str, call: fn(&Screen) -> sys::Answer) -> Operation<Screen> {
    Operation::new(
        name,
        |_| Ok(()),
        move |screen: &Screen, ()| call(screen),
        |screen, (), done| {
            if done {
                same!(screen.display.next_event()?.user_data(), 7);
            }
            screen.is_quiet()
        },
    )
}

/// Reads the event of a flip. One that cannot be copied stays.
fn read() -> Operation<Screen> {
    Operation::new(
        "read of an event",
        |screen: &Screen| {
            works!(screen.display.flip(screen.output(), screen.frame.fb, 7));
            // The event is there when the next commit can be made.
            works!(screen.display.commit(&screen.lit(&screen.frame), 0, 0));
            Ok(())
        },
        |screen, ()| rustix::io::read(&screen.display.file, &mut [0; 64]).map(drop),
        |screen, (), done| {
            if !done {
                same!(screen.display.flipped()?.user_data, 7);
            }
            screen.is_quiet()
        },
    )
    .within(EVENT)
}
