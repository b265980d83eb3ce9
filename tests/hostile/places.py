"""Every place where a word from outside meets what would take it for more than a word, and the test that it does not.

A row: who writes the word, what it meets, the file below packaging_tool/ in which they meet, and the test that feeds it
hostile words. `test_places.py` holds that the files and the tests exist.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """One meeting.

    word: where it comes from. meets: a shell, awk, xargs, options, a terminal, HTML, a unit file, a maintainer script,
    rpm's macros, JSON, a log, a path. code: below packaging_tool/. test: `tests/….py::test_name`.
    """

    word: str
    meets: str
    code: str
    test: str


PLACES = (
    # The installed side.
    Place(
        "TMPDIR",
        "awk",
        "templates/target/plugins.sh.j2",
        "tests/target/test_hostile.py::test_what_apt_and_tools_read_is_not_chosen_by_the_caller",
    ),
    Place(
        "command line",
        "options of apt",
        "templates/target/packages.sh",
        "tests/target/test_hostile.py::test_arguments_are_words",
    ),
    Place(
        "command line",
        "terminal",
        "templates/target/options.sh",
        "tests/target/test_hostile.py::test_arguments_are_words",
    ),
    Place(
        "environment",
        "apt, dpkg, openssl",
        "templates/target/plugins.sh.j2",
        "tests/target/test_hostile.py::test_what_apt_and_tools_read_is_not_chosen_by_the_caller",
    ),
    Place(
        "environment",
        "shell",
        "templates/target/plugins.sh.j2",
        "tests/target/test_hostile.py::test_the_environment_changes_no_answer",
    ),
    Place(
        "file name of a step",
        "a path",
        "templates/target/apply.sh",
        "tests/target/test_confine.py::test_what_a_step_leaves_beside_plain_files_is_refused",
    ),
    Place(
        "file of sync", "awk", "templates/target/wishes.awk", "tests/target/test_hostile.py::test_a_file_says_anything"
    ),
    Place(
        "id of a process",
        "shell",
        "templates/target/boot.sh",
        "tests/target/test_boot.py::test_another_process_with_the_same_id_prolongs_nothing",
    ),
    Place(
        "index of a repository",
        "JSON",
        "templates/target/json.awk",
        "tests/target/test_hostile.py::test_an_index_says_what_it_likes",
    ),
    Place(
        "index of a repository",
        "awk",
        "templates/target/relations.awk",
        "tests/target/test_hostile.py::test_an_index_says_what_it_likes",
    ),
    Place(
        "index of a repository",
        "completion of bash",
        "templates/target/completion.bash.j2",
        "tests/target/test_completion.py::test_names_of_files_and_packages_are_words",
    ),
    Place(
        "index of a repository",
        "options of apt",
        "templates/target/packages.sh",
        "tests/target/test_hostile.py::test_names_that_are_options_of_apt_reach_it_as_nothing",
    ),
    Place(
        "index of a repository",
        "terminal",
        "templates/target/messages.sh",
        "tests/target/test_hostile.py::test_an_index_says_what_it_likes",
    ),
    Place(
        "index of a repository",
        "xargs",
        "templates/target/packages.sh",
        "tests/target/test_hostile.py::test_an_index_says_what_it_likes",
    ),
    Place(
        "index of another repository",
        "JSON",
        "templates/target/json.awk",
        "tests/acceptance/test_hostile_words.py::test_the_index_of_another_repository_says_what_it_likes",
    ),
    Place(
        "index of another repository",
        "a terminal",
        "templates/target/messages.sh",
        "tests/acceptance/test_hostile_words.py::test_the_index_of_another_repository_says_what_it_likes",
    ),
    Place(
        "index of another repository",
        "awk",
        "templates/target/relations.awk",
        "tests/acceptance/test_hostile_words.py::test_the_index_of_another_repository_says_what_it_likes",
    ),
    Place(
        "index of another repository",
        "completion of bash",
        "templates/target/completion.bash.j2",
        "tests/acceptance/test_hostile_words.py::test_the_index_of_another_repository_says_what_it_likes",
    ),
    Place(
        "index of another repository",
        "xargs, options of apt and dnf",
        "templates/target/packages.sh",
        "tests/acceptance/test_hostile_words.py::test_the_index_of_another_repository_says_what_it_likes",
    ),
    Place(
        "name that ends in + or -",
        "operands of apt",
        "templates/target/packages.sh",
        "tests/acceptance/test_hostile_words.py::test_a_name_that_means_an_action_to_apt_is_that_of_a_package",
    ),
    Place(
        "name that ends in -",
        "awk",
        "templates/target/hook.awk",
        "tests/target/test_hook.py::test_a_plugin_that_the_command_names_is_not_lost_unasked",
    ),
    Place(
        "journal",
        "shell",
        "templates/target/boot.sh",
        "tests/acceptance/test_boot.py::test_only_systemd_says_that_the_service_was_stopped",
    ),
    Place(
        "key file",
        "awk",
        "templates/target/trust.awk",
        "tests/target/test_hostile.py::test_files_of_many_lines_say_anything",
    ),
    Place(
        "list of revoked keys",
        "awk",
        "templates/target/revoked.awk",
        "tests/target/test_hostile.py::test_files_of_many_lines_say_anything",
    ),
    Place(
        "list of a plugin",
        "awk",
        "templates/go-link/lists.awk",
        "tests/drivers/test_go_lists.py::test_hostile_words_in_lists_are_refused",
    ),
    Place(
        "list of a plugin",
        "compile and link",
        "templates/go-link/assemble.sh.j2",
        "tests/drivers/test_go_lists.py::test_other_lists_are_refused_before_a_tool_reads_them",
    ),
    Place(
        "list of disabled plugins",
        "shell",
        "templates/target/questions.sh",
        "tests/target/test_hostile.py::test_a_file_says_anything",
    ),
    Place(
        "manifest",
        "awk",
        "templates/target/parse.awk",
        "tests/target/test_hostile.py::test_manifests_and_signatures_say_anything",
    ),
    Place(
        "name of a file", "awk", "templates/target/survey.awk", "tests/target/test_hostile.py::test_files_have_any_name"
    ),
    Place(
        "name of a file",
        "completion of bash",
        "templates/target/completion.bash.j2",
        "tests/target/test_completion.py::test_names_of_files_and_packages_are_words",
    ),
    Place(
        "name of a file", "path", "templates/target/verify.sh", "tests/target/test_hostile.py::test_files_have_any_name"
    ),
    Place(
        "name of a file",
        "terminal",
        "templates/target/manage.sh",
        "tests/target/test_hostile.py::test_files_have_any_name",
    ),
    Place(
        "name of a file",
        "terminal",
        "templates/target/messages.sh",
        "tests/target/test_hostile.py::test_files_have_any_name",
    ),
    Place(
        "name of a plugin",
        "a shell",
        "templates/target/apply.sh",
        "tests/target/test_confine.py::test_the_name_of_a_plugin_is_a_word_in_the_file_that_a_step_is",
    ),
    Place(
        "name of a process",
        "shell",
        "templates/target/boot.sh",
        "tests/target/test_boot.py::test_a_process_with_a_strange_name_is_told_from_others",
    ),
    Place(
        "output of a plugin",
        "a terminal",
        "templates/target/try.sh",
        "tests/target/test_confine.py::test_what_a_program_prints_is_told_without_control_characters",
    ),
    Place(
        "output of a plugin",
        "log",
        "templates/target/messages.sh",
        "tests/target/test_hostile.py::test_a_plugin_says_anything_when_it_is_tried",
    ),
    Place(
        "pipe in the place of a file",
        "shell",
        "templates/target/conf.sh",
        "tests/target/test_hostile.py::test_nobody_waits_for_the_end_of_a_pipe",
    ),
    Place(
        "pipe in the place of a file",
        "shell",
        "templates/target/manage.sh",
        "tests/target/test_hostile.py::test_nobody_waits_for_the_end_of_a_pipe",
    ),
    Place(
        "plugins.conf",
        "awk",
        "templates/target/conf.awk",
        "tests/target/test_hostile.py::test_files_of_many_lines_say_anything",
    ),
    Place(
        "reason of a failure",
        "terminal",
        "templates/target/boot.sh",
        "tests/target/test_hostile.py::test_a_file_says_anything",
    ),
    Place(
        "settings of a service",
        "a unit file",
        "target/trial.py",
        "tests/target/test_trial.py::test_what_the_service_may_write_is_a_directory_of_its_own_in_a_try",
    ),
    Place(
        "signature",
        "printf",
        "templates/target/verify.sh",
        "tests/target/test_hostile.py::test_manifests_and_signatures_say_anything",
    ),
    Place(
        "words of apt to its hook",
        "awk",
        "templates/target/hook.awk",
        "tests/target/test_hostile.py::test_package_managers_tell_a_hook_anything",
    ),
    Place(
        "words of dnf to its hook",
        "JSON",
        "templates/target/hook.sh",
        "tests/target/test_hostile.py::test_package_managers_tell_a_hook_anything",
    ),
    # The building side.
    Place(
        "arguments of a program in a room",
        "a shell",
        "authors/cell.py",
        "tests/acceptance/test_room.py::test_words_come_to_a_program_as_they_are",
    ),
    Place(
        "cache in a repository", "a path", "cache.py", "tests/test_cache.py::test_a_cache_of_another_machine_is_emptied"
    ),
    Place(
        "commands of a project",
        "the user's rights",
        "confine.py",
        "tests/test_confine.py::test_a_build_command_reaches_nothing",
    ),
    Place(
        "description of a published core",
        "shown commands of an author's page",
        "authors/core.py",
        "tests/hostile/test_published_words.py::test_directories_of_a_published_core_follow_the_rules_of_a_project_file",
    ),
    Place(
        "fields, names, owners, scripts of a .deb",
        "a terminal",
        "formats/_deb_reader.py",
        "tests/hostile/test_packages.py::test_words_in_packages_are_shown_as_text",
    ),
    Place(
        "file name of a package that apt names",
        "a path",
        "authors/apt.py",
        "tests/authors/test_load.py::test_names_of_fetched_packages_are_no_paths",
    ),
    Place(
        "headers of a web server",
        "a message",
        "authors/web.py",
        "tests/authors/test_web.py::test_words_of_a_server_are_no_more_than_words",
    ),
    Place(
        "link in a project",
        "files of the building machine",
        "project/check.py",
        "tests/project/test_outside.py::test_sources_that_lead_out_are_refused",
    ),
    Place(
        "link that a command left",
        "a path",
        "drivers/exec.py",
        "tests/drivers/test_exec.py::test_a_server_that_is_a_link_is_refused",
    ),
    Place(
        "lock, edited",
        "a list of requirements for pip, paths",
        "wheels/pip.py",
        "tests/hostile/test_published_words.py::test_a_pin_is_one_line_and_one_file_name",
    ),
    Place(
        "lock, edited",
        "paths below the cache",
        "authors/work.py",
        "tests/hostile/test_published_words.py::test_folders_and_keys_of_a_lock_are_what_they_are_called",
    ),
    Place(
        "lock, published or edited",
        "environment and options of go",
        "golang/lockfile.py",
        "tests/hostile/test_published_words.py::test_a_lock_names_no_program_and_no_option_to_go",
    ),
    Place(
        "mkpkgs.lock",
        "a terminal",
        "lock.py",
        "tests/hostile/test_packages.py::test_words_in_what_is_published_already_are_refused_or_replaced",
    ),
    Place(
        "module of a published core",
        "Go's module cache",
        "golang/localmodule.py",
        "tests/hostile/test_published_words.py::test_a_published_module_is_named_by_its_content",
    ),
    Place(
        "plugins of a published core",
        "paths, options of go",
        "golang/author.py",
        "tests/hostile/test_published_words.py::test_published_plugins_are_names_and_import_paths",
    ),
    Place(
        "program with plugins",
        "the trial run",
        "golang/build.py",
        "tests/drivers/test_go_link.py::test_the_trial_of_a_program_finds_no_key_network_or_process",
    ),
    Place(
        "published Packages and Release",
        "a path",
        "repos/apt.py",
        "tests/hostile/test_packages.py::test_words_in_what_is_published_already_are_refused_or_replaced",
    ),
    Place(
        "published repomd.xml and primary.xml",
        "a path",
        "repos/yum.py",
        "tests/hostile/test_packages.py::test_words_in_what_is_published_already_are_refused_or_replaced",
    ),
    Place(
        "requirement of a published core",
        "pip",
        "wheels/published.py",
        "tests/wheels/test_wheel.py::test_a_requirement_with_an_address_is_refused",
    ),
    Place(
        "source of a plugin",
        "a compiler that reads files",
        "elf/tree.py",
        "tests/drivers/test_elf.py::test_commands_and_compilers_see_no_key_and_change_nothing_that_is_used_outside",
    ),
    Place(
        "tags and files of an .rpm",
        "a terminal",
        "formats/_rpm_reader.py",
        "tests/hostile/test_packages.py::test_words_in_packages_are_shown_as_text",
    ),
    Place(
        "text of a project file",
        "HTML and a .sources file",
        "publish.py",
        "tests/hostile/test_project_words.py::test_the_page_and_the_source_file_hold_what_they_are_given",
    ),
    Place(
        "text of a project file",
        "maintainer scripts",
        "formats/deb.py",
        "tests/hostile/test_project_words.py::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
    ),
    Place(
        "text of a project file",
        "shell of the target tool",
        "target/runtime.py",
        "tests/hostile/test_project_words.py::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
    ),
    Place(
        "text of a project file",
        "shown commands (apt)",
        "repos/apt.py",
        "tests/hostile/test_project_words.py::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
    ),
    Place(
        "text of a project file",
        "shown commands (dnf)",
        "repos/yum.py",
        "tests/hostile/test_project_words.py::test_scripts_and_shown_commands_are_read_by_a_shell_and_run_nothing_else",
    ),
    Place(
        "text of a project file",
        "sysusers.d and tmpfiles.d",
        "target/runtime.py",
        "tests/hostile/test_project_words.py::test_systemd_reads_users_and_files",
    ),
    Place(
        "text of a project file",
        "unit file",
        "target/unit.py",
        "tests/hostile/test_project_words.py::test_systemd_reads_units",
    ),
    Place(
        "the name of a package file",
        "a terminal",
        "cli/commands/inspect.py",
        "tests/hostile/test_packages.py::test_words_as_names_of_packages_are_shown_as_text",
    ),
    Place(
        "the record of the last run",
        "JSON",
        "state.py",
        "tests/hostile/test_packages.py::test_words_in_what_is_published_already_are_refused_or_replaced",
    ),
    Place(
        "what a server answers",
        "a terminal",
        "cli/progress.py",
        "tests/cli/test_errors.py::test_words_of_others_steer_no_terminal",
    ),
    Place(
        "what any command tells",
        "a terminal",
        "cli/text.py",
        "tests/cli/test_errors.py::test_words_of_others_steer_no_terminal",
    ),
    Place(
        "index in a checkout's dist/",
        "signing",
        "covered.py",
        "tests/test_covered.py::test_what_somebody_changed_in_my_dist_is_named",
    ),
    Place(
        "module that somebody requires",
        "git",
        "golang/calls.py",
        "tests/golang/test_calls.py::test_git_runs_for_modules_alone_that_the_user_calls_private",
    ),
    Place(
        "published lock, list of plugins, description",
        "options and variables of go, terminal",
        "golang/published.py",
        "tests/authors/test_go_link.py::test_a_published_core_that_was_changed_runs_nothing_and_is_told_by_file_and_key",
    ),
    Place(
        "wheel of an index",
        "pip",
        "wheels/caller.py",
        "tests/wheels/test_caller.py::test_an_address_is_no_more_than_words",
    ),
    Place(
        "wheel",
        "paths, terminal, pip",
        "wheels/wheel.py",
        "tests/wheels/test_wheel.py::test_hostile_words_in_a_wheel_are_refused_or_harmless",
    ),
    Place(
        "path of a build",
        "a shell of a command",
        "commands.py",
        "tests/test_commands.py::test_a_script_gets_no_word_that_a_shell_takes_for_more",
    ),
    Place(
        "tables of drivers",
        "commands and their environment",
        "elf/tree.py",
        "tests/hostile/test_driver_words.py::test_commands_get_arguments_and_variables_as_they_are",
    ),
    Place(
        "tables of drivers",
        "shell of the target",
        "elf/loader.py",
        "tests/hostile/test_driver_words.py::test_the_loader_of_shared_objects_writes_words_as_they_are",
    ),
    Place(
        "tables of drivers",
        "options of the linker",
        "templates/go-link/assemble.sh.j2",
        "tests/hostile/test_driver_words.py::test_programs_in_go_have_variables_as_they_are",
    ),
    Place(
        "text of a project file",
        "control fields",
        "formats/_deb_control.py",
        "tests/hostile/test_project_words.py::test_dpkg_reads_what_words_came_to",
    ),
    Place(
        "text of a project file",
        "tags and macros of rpm",
        "formats/_rpm_package.py",
        "tests/hostile/test_project_words.py::test_rpm_reads_what_words_came_to",
    ),
    Place(
        "text of a project file",
        "HTML, JSON",
        "templates/repos/index.html.j2",
        "tests/hostile/test_project_words.py::test_the_page_has_no_element_or_link_of_a_word",
    ),
    Place(
        "text of a project file",
        "indexes, .repo",
        "templates/repos/repo.j2",
        "tests/hostile/test_project_words.py::test_readers_of_repositories_read_what_words_came_to",
    ),
    Place(
        "text of an author's project file",
        "packages",
        "authors/work.py",
        "tests/hostile/test_project_words.py::test_words_of_authors_come_to_their_packages",
    ),
    Place(
        "size of a project file",
        "time",
        "project/check.py",
        "tests/project/test_cost.py::test_reading_a_file_is_linear",
    ),
    Place(
        "links in the folder of a plugin",
        "files of the building machine",
        "drivers/_layout.py",
        "tests/project/test_outside.py::test_links_in_the_folder_of_a_plugin_stay_in_the_project",
    ),
)
