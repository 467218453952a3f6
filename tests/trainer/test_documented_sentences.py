"""Each statement of the guide to the trainer about behaviour has a test, and these are named here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documented_sentences import GUIDE, sentences_of

ADVICE = "advice: it says what to write, not what happens"
R = "test_resume.py::"
OF_EXTENDING = "test_extending.py::"
OF_PLAN = "../orchestrator/planning/test_extendable_runs.py::"
OF_GRIDS = "../end_to_end/test_extending.py::"
OF_WEIGHTS = "test_starting_weights.py::"
OF_DIGEST = "../orchestrator/config/test_starting_digest.py::"
OF_RANKS = "../end_to_end/test_ranks.py::"
OF_GRAPHS = "test_captured_steps.py::"
OF_INTERVAL = "test_schedule_interval.py::"
# Sections of the guide: the beginning of each sentence or row of a table, and the test of it.
TESTS: dict[str, list[tuple[str, str]]] = {
    "Modules of your own": [
        ("Write a file next to", "test_guide.py::test_modules_of_the_guide_run_under_orch_and_alone"),
        ("The current folder is", "test_guide.py::test_mistake_of_a_newcomer_is_one_line"),
        ("The trainer works without", "test_guide.py::test_modules_of_the_guide_run_under_orch_and_alone"),
        ("data | has `train`", "test_wrong_configs.py::test_wrong_configuration_is_one_line_before_the_first_step"),
        ("model | an `nn.Module`", "test_build.py::test_wrong_group_is_an_error_in_one_line"),
        ("criterion | maps", "test_update.py::test_step_is_the_one_that_a_plain_loop_takes"),
        ("optimizer | gets `params`", "test_update.py::test_optimizer_has_the_closure_that_it_asks_for"),
        ("scheduler | gets", "test_schedule_steps.py::test_rate_changes_by_one_step"),
        ("curriculum | any object", "callbacks/test_events.py::test_modules_are_called_in_order_and_once_each"),
        ("They are built in the order", "test_build.py::test_modules_are_built_and_handed_each_other"),
        ("A class or function that has", "test_hydra_targets.py::test_target_that_asks_for_modules_gets_them"),
        ("`name` is a label", "test_deciding_keys.py::test_name_is_a_label_and_decides_nothing"),
        ("It is an argument as well", "test_hydra_targets.py::test_name_reaches_a_target_that_has_a_parameter_for_it"),
        ("What a module has to remember", f"{R}test_state_of_a_curriculum_survives"),
        ("A number, string, array", "test_unsaved_state.py::test_state_that_nothing_saves_is_told_once"),
        ("It may be in an attribute", "test_unsaved_state.py::test_state_that_nothing_saves_is_told_once"),
        ("What an iteration creates", "test_unsaved_state.py::test_state_that_nothing_saves_is_told_once"),
        ("A `load_state_dict()` that", "test_state_rehearsal.py::test_state_that_cannot_be_loaded_is_refused"),
        ("Both are tried", "test_state_rehearsal.py::test_what_a_state_loses_is_told_once"),
        ("What changes in a", "test_state_rehearsal.py::test_what_is_lost_later_is_not_noticed"),
        ("Random generators need", "test_module_generators.py::test_run_that_is_killed_or_repeated_ends_with_the_same_digest"),
    ],
    "Batches": [
        ("How a batch reaches", "test_batch_structure.py::test_structure_trains_validates_and_goes_on"),
        ("a pair |", "test_batch_structure.py::test_structure_trains_validates_and_goes_on"),
        ("a longer tuple", "test_batch_structure.py::test_structure_trains_validates_and_goes_on"),
        ("a dictionary with", "test_batch_structure.py::test_structure_trains_validates_and_goes_on"),
        ("a dictionary, and no", "test_batch_structure.py::test_structure_trains_validates_and_goes_on"),
        ("another object", "test_batch_structure.py::test_structure_trains_validates_and_goes_on"),
        ("Inputs, targets and", "test_own_ways.py::test_samples_and_outputs_may_have_a_structure"),
        ("Where a model gives", "test_batch_structure.py::test_structure_trains_validates_and_goes_on"),
        ("Tensors, and objects", "test_batch_structure.py::test_everything_that_can_is_brought_to_the_device"),
        ("The samples of a batch", "test_batch_structure.py::test_batch_is_counted_by_its_first_tensor"),
        ("The accuracy is", "test_configured_metrics.py::test_accuracy_is_not_measured_unasked_with_a_criterion_of_the_users_own"),
        ("PyTorch's cross-entropy", "test_accuracy.py::test_criterion_tells_whether_outputs_are_numbers_for_classes"),
        ("Targets that the", "test_accuracy.py::test_ignored_targets_do_not_count"),
        ("`metrics: {accuracy", "test_configured_metrics.py::test_accuracy_can_be_switched_on_off_or_replaced"),
        ("Where outputs and targets", "test_configured_metrics.py::test_accuracy_that_is_asked_for_in_vain_is_told_once"),
        ("Give a criterion", ADVICE),
        ("`dataloader` takes", "loading/test_options.py::test_options_of_the_loader_are_passed_on"),
        ("`shuffle` |", "loading/test_loaders.py::test_training_set_keeps_its_order_if_asked_to"),
        ("`sampler` |", "loading/test_options.py::test_sampler_gets_the_training_set"),
        ("`batch_sampler` |", "loading/test_loaders.py::test_batch_sampler_decides_the_batches_of_the_training"),
        ("`evaluation_batch_size` |", "loading/test_loaders.py::test_evaluation_takes_batches_of_the_trainings_size_or_of_its_own"),
        ("`drop_last` |", "loading/test_order.py::test_last_batch_can_be_dropped"),
        ("Batches of a batch", "loading/test_batch_order.py::test_pass_has_as_many_batches_as_the_sampler_yields_in_it"),
        ("`restrict` leaves", "loading/test_batch_order.py::test_restriction_leaves_of_each_batch_what_it_allows"),
        ("With several ranks, whole", "loading/test_batch_order.py::test_batches_are_dealt_out_to_ranks"),
        ("`shuffle`, `sampler` and", "loading/test_options.py::test_wrong_key_is_one_line_with_the_next_step"),
        ("Validation and test do", "loading/test_loaders.py::test_batch_sampler_decides_the_batches_of_the_training"),
    ],
    "Streams": [
        ("A part of the data", "loading/test_iterable_data_sets.py::test_interrupted_run_ends_with_the_same_bits"),
        ("It is iterated over", "loading/test_iterable_data_sets.py::test_each_epoch_is_another_one_if_the_stream_says_so"),
        ("An epoch ends", "loading/test_iterable_data_sets.py::test_stream_without_an_end_trains_by_steps"),
        ("A `len()` is", "loading/test_iterable_data_sets.py::test_stream_without_an_end_trains_by_steps"),
        ("What it draws", "loading/test_iterable_data_sets.py::test_batch_is_the_same_wherever_a_pass_begins"),
        ("A resumed run reads", "loading/test_iterable_data_sets.py::test_samples_before_a_resume_are_read_once"),
        ("One loader worker", "loading/test_iterable_data_sets.py::test_number_of_workers_changes_nothing"),
        ("One that yields", "loading/test_iterable_data_sets.py::test_stream_that_cannot_be_resumed_or_used_is_refused_in_one_line"),
    ],
    "A validation set for data that have none": [
        ("The samples are drawn", "test_validation_split.py::test_samples_are_in_one_of_the_parts"),
        ("The same seed", "test_validation_split.py::test_seed_decides_which_samples_are_taken"),
        ("Data that have", "test_validation_split.py::test_data_that_cannot_be_split_are_refused_in_one_line"),
    ],
    "What is trained": [
        ("The optimizer gets", "test_groups.py::test_parameters_of_the_criterion_are_trained"),
        ("Call `requires_grad_", ADVICE),
        ("Parameters that an optimizer", "test_groups.py::test_parameters_that_an_optimizer_of_its_own_trains_are_left_to_it"),
        ("Parameters of a criterion", "test_groups.py::test_parameters_that_are_trained_by_nobody_or_twice_are_refused"),
        ("So are tensors of", "test_gradient_checks.py::test_tensor_of_a_criterion_that_nobody_trains_is_refused"),
        ("Parameter groups with", "test_groups.py::test_match_and_kinds_both_have_to_hold"),
        ("If several entries", "test_groups.py::test_groups_are_selected_by_name_and_combined"),
        ("The criterion's parameters", "test_groups.py::test_parameters_of_the_criterion_are_trained"),
        ("An entry that", "test_groups.py::test_wrong_groups_are_refused_in_one_line"),
        ("`clip_norm` limits", "test_update.py::test_gradients_of_what_is_not_optimized_are_neither_clipped_nor_summed_up"),
        ("`accumulate` is", "test_update.py::test_accumulated_batches_are_one_large_batch"),
        ("`precision: bfloat16`", "test_update.py::test_computing_in_bfloat16_keeps_the_weights_in_float32"),
        ("`precision: float16`", "test_loss_scale.py::test_float16_learns_and_differs"),
        ("A step with gradients", "test_loss_scale.py::test_interrupted_run_ends_with_the_same_bits"),
        ("An optimizer whose", "test_loss_scale.py::test_optimizer_with_a_closure_is_refused"),
        ("The steps are taken", "test_update.py::test_step_is_the_one_that_a_plain_loop_takes"),
        ("A layer that was put", "test_parts_in_evaluation.py::test_part_that_is_switched_is_named"),
        ("`compile: true` compiles", "test_compiled.py::test_every_shape_is_compiled"),
        ("A model that needs", "test_compiled.py::test_more_shapes_than_are_compiled_are_refused_in_one_line"),
    ],
    "Several GPUs": [
        ("`world_size: 2`", f"{OF_RANKS}test_trainer_with_a_killed_rank_is_retried_and_ends_with_the_same_bits"),
        ("As it changes", "test_deciding_keys.py::test_keys_of_updates_and_batches_tell_one_runs_checkpoints_from_anothers"),
        ("On GPUs, each", "test_rank_processes.py::test_run_of_one_process_refuses_several_gpus"),
        ("On the CPU", "test_ranks.py::test_gradients_and_losses_are_averaged"),
        ("More ranks than CPUs", "test_rank_processes.py::test_more_ranks_than_cpus_are_told"),
        ("The process that", "test_rank_processes.py::test_run_is_done_when_all_ranks_are"),
        ("`batch_size` is", "loading/test_order.py::test_samples_are_dealt_out_to_ranks"),
        ("The samples of an epoch", "loading/test_order.py::test_samples_are_dealt_out_to_ranks"),
        ("Gradients and losses", "test_ranks.py::test_gradients_and_losses_are_averaged"),
        ("So the communication", ADVICE),
        ("Random numbers in", "test_ranks.py::test_random_numbers_differ_in_the_steps_and_agree_afterwards"),
        ("Buffers, such as", "test_ranks.py::test_random_numbers_differ_in_the_steps_and_agree_afterwards"),
        ("Each rank evaluates", "test_ranks.py::test_each_rank_evaluates_all_samples"),
        ("Only the first rank", "test_null_run_files.py::test_second_rank_leaves_no_file"),
        ("After each iteration, the", "test_ranks.py::test_ranks_decide_together"),
        ("All ranks end after", "test_ranks.py::test_ranks_decide_together"),
        ("The run is resumed", f"{OF_RANKS}test_interrupted_trainer_leaves_a_checkpoint_of_all_ranks"),
        ("If a rank is killed", f"{OF_RANKS}test_killed_rank_is_a_killed_run_and_is_retried"),
        ("`cb_on_update`, sparse", "test_ranks.py::test_what_ranks_cannot_do_is_refused"),
        ("With two ranks", f"{OF_RANKS}test_trainer_with_a_killed_rank_is_retried_and_ends_with_the_same_bits"),
    ],
    "Several optimizers": [
        ("A module that defines", "test_own_update.py::test_interrupted_run_ends_with_the_same_bits"),
        ("`batches` has", "test_own_update.py::test_interrupted_run_ends_with_the_same_bits"),
        ("Parameters of optimizers", "test_own_update.py::test_parameters_of_the_models_own_optimizer_are_left_to_it"),
        ("Keys that would", "test_own_update.py::test_key_without_effect_is_refused"),
        ("The states of", "test_held_optimizers.py::test_interrupted_run_ends_with_the_same_bits"),
        ("They have to be", "test_held_optimizers.py::test_each_is_found_once"),
        ("An optimizer that holds", "test_held_optimizers.py::test_state_that_an_optimizer_holds_and_forgets_is_told_once"),
    ],
    "An average of the weights": [
        ("After each update", "test_weight_average.py::test_average_is_that_of_pytorch"),
        ("Validation, test and", "test_weight_average.py::test_average_is_evaluated_only_where_asked"),
        ("Buffers, such as", "test_weight_average.py::test_interrupted_run_ends_with_the_same_bits"),
        ("The training does", "test_weight_average.py::test_training_is_the_same_with_an_average"),
        ("An average that would begin", "test_late_beginnings.py::test_what_never_begins_is_named"),
    ],
    "Schedules": [
        ("A scheduler is stepped", f"{OF_INTERVAL}test_rates_are_those_of_a_loop_by_hand"),
        ("Without `interval`", f"{OF_INTERVAL}test_interval_that_the_class_tells_is_the_one_that_is_written"),
        ("PyTorch's `OneCycleLR`", f"{OF_INTERVAL}test_interval_that_the_class_tells_is_the_one_that_is_written"),
        ("A `OneCycleLR` with", f"{OF_INTERVAL}test_schedule_that_would_be_stepped_wrongly_is_refused"),
        ("So is a class", f"{OF_INTERVAL}test_schedule_that_would_be_stepped_wrongly_is_refused"),
        ("A scheduler that needs", "test_schedule_steps.py::test_scheduler_that_waits_for_the_loss_to_rise_is_refused"),
        ("`lr` in the metrics", f"{OF_INTERVAL}test_rates_are_those_of_a_loop_by_hand"),
        ("If the target has", f"{OF_INTERVAL}test_parameter_of_the_same_name_is_the_targets_own"),
    ],
    "End a run early": [
        ("Either of", "test_early_stopping.py::test_run_ends_when_the_metric_has_not_improved_for_long"),
        ("The run is tested", "test_early_stopping.py::test_run_that_ends_early_is_tested_and_says_why"),
        ("What a callback asks", "test_early_stopping.py::test_callback_cannot_end_a_run_that_has_not_begun"),
        ("The decision is saved", "test_early_stopping.py::test_decision_is_the_same_if_it_is_resumed_anywhere"),
        ("So a run that", "test_early_stopping.py::test_interrupted_run_ends_after_the_same_iteration"),
        ("The time of an", "test_early_stopping.py::test_time_of_all_attempts_counts"),
        ("`stopping` is part", "test_early_stopping_settings.py::test_wrong_key_is_refused_in_one_line"),
    ],
    "Begin with other weights": [
        ("The model begins", f"{OF_WEIGHTS}test_run_begins_with_the_best_weights_of_another"),
        ("What did not", f"{OF_WEIGHTS}test_what_does_not_fit_is_told_in_one_line"),
        ("If nothing fits", f"{OF_WEIGHTS}test_weights_that_cannot_be_used_are_one_line"),
        ("Of a run", f"{OF_WEIGHTS}test_average_is_taken_where_the_evaluations_have_used_it"),
        ("A file has", f"{OF_WEIGHTS}test_run_begins_with_the_best_weights_of_another"),
        ("A file whose name", f"{OF_WEIGHTS}test_safetensors_that_are_not_installed_are_asked_for"),
        ("What DDP", f"{OF_WEIGHTS}test_what_wraps_a_model_or_contains_it_adds_nothing_to_its_names"),
        ("With `init_from_prefix`", f"{OF_WEIGHTS}test_prefix_of_the_config_is_that_of_a_run"),
        ("The weights are", f"{OF_WEIGHTS}test_resumed_run_does_not_read_the_weights_again"),
        ("`orch` adds", f"{OF_DIGEST}test_other_content_is_another_run"),
        ("So other weights", f"{OF_WEIGHTS}test_content_that_has_changed_is_refused"),
        ("A run without", f"{OF_WEIGHTS}test_content_that_has_changed_is_refused"),
        ("The path is", f"{OF_DIGEST}test_only_the_content_counts_where_the_path_is_excluded"),
        ("Where the source", f"{OF_DIGEST}test_digest_that_is_given_is_kept"),
        ("`init_from=first.pt", f"{OF_DIGEST}test_digest_follows_the_axes"),
    ],
    "More or fewer iterations": [
        ("A run that differs", f"{OF_EXTENDING}test_extended_run_ends_with_the_bits_of_a_run_from_nothing"),
        ("`orch plan` says so", f"{OF_PLAN}test_run_extends_the_one_with_the_most_iterations"),
        ("It is a run with", f"{OF_EXTENDING}test_chain_of_random_lengths_ends_with_the_same_bits"),
        ("The newest usable", f"{OF_EXTENDING}test_checkpoints_are_copied_where_there_are_no_hard_links"),
        ("The points of the", f"{OF_GRIDS}test_longer_grid_ends_as_from_nothing_and_its_points_arrive_once"),
        ("The other run need", f"{OF_EXTENDING}test_run_with_fewer_iterations_is_done_at_once"),
        ("`results.json` names", f"{OF_EXTENDING}test_extended_run_ends_with_the_bits_of_a_run_from_nothing"),
        ("The run begins from", f"{OF_PLAN}test_plan_says_why_a_run_is_not_extended"),
        ("another key depends", f"{OF_PLAN}test_plan_says_why_a_run_is_not_extended"),
        ("callbacks of the other", f"{OF_EXTENDING}test_run_whose_callbacks_read_its_length_is_not_extended"),
        ("a file of the other", f"{OF_EXTENDING}test_run_whose_code_has_changed_is_not_extended"),
        ("Runs of versions", f"{OF_EXTENDING}test_other_numbers_are_not_extended"),
        ("`orch.extend: false`", f"{OF_PLAN}test_extending_can_be_disabled"),
    ],
    "Callbacks": [
        ("Any module may", "callbacks/test_events.py::test_modules_are_called_in_order_and_once_each"),
        ("They are called in", "callbacks/test_events.py::test_modules_are_called_in_order_and_once_each"),
        ("The order of the", "callbacks/test_events.py::test_events_come_in_the_documented_order"),
        ("Annotations, and", "callbacks/test_events.py::test_callback_that_fits_gets_its_values"),
        ("A name that begins", "callbacks/test_events.py::test_unknown_callback_is_an_error_with_the_nearest_name"),
        ("An event without", "callbacks/test_events.py::test_events_without_listeners_are_empty_tuples"),
        ("Only modules have", "callbacks/test_uncalled.py::test_what_has_no_effect_is_told"),
        ("A callback may", ADVICE),
        ("read every", "test_roles.py::test_module_is_not_exchanged"),
        ("To assign one", "test_read_only.py::test_no_attribute_of_the_trainer_is_assigned_by_a_callback"),
        ("What it changes", "test_run_config.py::test_change_of_what_is_handed_out_is_refused"),
        ("add numbers", "test_own_ways.py::test_numbers_of_any_kind_are_reported"),
        ("change the data", "test_exactness.py::test_change_between_iterations_gives_the_same_bits_with_any_number_of_workers"),
        ("say which samples", "test_training_position.py::test_pass_that_has_begun_keeps_its_samples"),
        ("`trainer.batches.restrict", "curriculum/test_paced.py::test_passes_take_the_samples_that_are_allowed"),
        ("`cb_on_evaluation_begin`", "test_changing_modules.py::test_callbacks_hear_of_every_evaluation"),
        ("Use them to measure", "test_changing_modules.py::test_test_measures_what_the_best_validation_measured"),
        ("An optimizer that has", "test_changing_modules.py::test_run_whose_modules_change_is_resumed"),
        ("`trainer.stop(", "test_early_stopping.py::test_callback_ends_the_run_after_the_iteration_in_progress"),
        ("`trainer.stop_requested", "test_main.py::test_run_that_asks_itself_to_stop_is_refused"),
    ],
    "Modules that change during training": [
        ("A resumed run is built", "test_beginning.py::test_run_goes_on_from_its_newest_checkpoint"),
        ("`trainer.iteration` is", "test_changing_modules.py::test_run_whose_modules_change_is_resumed"),
        ("`cb_on_train_begin` is", "test_changing_modules.py::test_run_whose_modules_change_is_resumed"),
        ("The state of every", "test_changing_modules.py::test_run_whose_modules_change_is_resumed"),
        ("So parameter groups", "test_changing_modules.py::test_run_whose_modules_change_is_resumed"),
        ("Where no module has", "test_state_rehearsal.py::test_module_that_could_not_be_restored_as_it_is_built_is_told_once"),
        ("A state that does", "test_changing_modules.py::test_change_that_is_not_made_again_is_one_line"),
        ("Where the model has", "test_changing_modules.py::test_best_weights_that_do_not_fit_any_more_are_one_line"),
    ],
    "The best iteration": [
        ("`checkpoint.metric` names", "test_configured_metrics.py::test_chosen_metric_decides_which_iteration_is_the_best"),
        ("The default is", "test_history.py::test_accuracy_decides_where_there_is_one_and_nothing_was_chosen"),
        ("`checkpoint.mode`,", "test_configured_metrics.py::test_chosen_metric_decides_which_iteration_is_the_best"),
        ("By default the last", "test_metric_direction.py::test_name_says_which_way_a_metric_is_better"),
        ("Any other metric", "test_metric_direction.py::test_half_a_choice_is_refused"),
        ("An iteration in which", "test_iteration_end.py::test_metric_that_is_not_a_number_is_told_once"),
        ("The test uses", "test_trainer.py::test_best_weights_are_tested_unless_the_last_are_asked_for"),
        ("`checkpoints/best.pt`", "checkpoints/test_store.py::test_best_is_another_name_of_the_best_checkpoint"),
    ],
    "Exact resume": [
        ("After each iteration", "checkpoints/test_background_writer.py::test_training_goes_on_while_the_disk_is_busy"),
        ("It is complete or", "test_damage.py::test_every_damage_is_noticed_and_the_one_before_is_used"),
        ("A kill loses", "checkpoints/test_background_writer.py::test_killed_run_has_lost_at_most_one_iteration_besides_that_in_progress"),
        ("A resumed run ends", "test_kills.py::test_killed_run_ends_with_the_same_digest"),
        ("Equal `digest`s", "test_state_digest.py::test_any_difference_shows"),
        ("That holds because", "test_seeding.py::test_derived_seeds_are_the_same_for_ever"),
        ("initial weights |", "test_trainer.py::test_same_configuration_gives_the_same_digest"),
        ("the order of samples |", "loading/test_order.py::test_order_is_a_function_of_seed_and_epoch"),
        ("augmentation of", f"{R}test_number_of_loader_workers_changes_nothing"),
        ("dropout, callbacks", "test_random_data.py::test_number_of_workers_and_a_kill_change_nothing"),
        ("generators that a", "test_module_generators.py::test_seed_of_a_module_decides_what_it_draws"),
        ("A generator that a module", "test_module_generators.py::test_generator_that_is_created_late_is_told"),
        ("What a module draws", "loading/test_hidden_generators.py::test_generator_without_a_state_is_left_alone"),
        ("It holds on the same", "test_compute_environment.py::test_description_names_what_may_change_the_bits"),
        ("Where PyTorch, the GPU", f"{R}test_changed_environment_is_said_and_noted"),
    ],
    "Long iterations": [
        ("The iteration in progress", "test_iteration_in_progress.py::test_interrupted_run_ends_with_the_same_bits"),
        ("A resumed run restores", "test_iteration_in_progress.py::test_interrupted_run_ends_with_the_same_bits"),
        ("A run that is asked", "test_iteration_in_progress.py::test_run_that_is_asked_to_stop_does_not_wait_for_the_iteration"),
        ("What a callback keeps", "test_iteration_in_progress.py::test_what_a_callback_keeps_from_step_to_step_is_told"),
        ("`checkpoint.every` must", "test_iteration_in_progress.py::test_wrong_key_is_refused_in_one_line"),
    ],
    "On a GPU": [
        ("Batches that loader", "loading/test_resident.py::test_memory_is_pinned_for_a_gpu_unless_a_key_says_otherwise"),
        ("Each is copied", "loading/test_copies_ahead.py::test_next_batch_is_queued_before_one_is_used"),
        ("The tensors of a", "loading/test_resident.py::test_tensors_are_brought_if_they_take_a_tenth_of_what_is_free"),
        ("All of this was", "loading/test_resident.py::test_batches_are_cut_where_the_tensors_live"),
    ],
    "Replayed steps": [
        ("A small model's", ADVICE),
        ("With `cuda_graph: auto`", f"{OF_GRAPHS}test_modules_that_callbacks_may_change_are_recorded_in_each_iteration"),
        ("What is replayed", f"{OF_GRAPHS}test_replayed_steps_give_the_bits_of_computed_ones"),
        ("Up to eight", f"{OF_GRAPHS}test_few_shapes_are_recorded"),
        ("The step of", f"{OF_GRAPHS}test_changed_rate_is_recorded_again_if_the_optimizer_is"),
        ("A graph repeats", f"{OF_GRAPHS}test_steps_that_a_graph_would_not_repeat_are_computed"),
        ("If anything changed", f"{OF_GRAPHS}test_steps_that_a_graph_would_not_repeat_are_computed"),
        ("The same holds", f"{OF_GRAPHS}test_steps_that_a_graph_would_not_repeat_are_computed"),
        ("Where callbacks come", f"{OF_GRAPHS}test_modules_that_callbacks_may_change_are_recorded_in_each_iteration"),
        ("A replayed step is", f"{OF_GRAPHS}test_step_with_another_result_ends_the_run"),
        ("If a bit differs", f"{OF_GRAPHS}test_step_with_another_result_ends_the_run"),
        ("On a CPU", f"{OF_GRAPHS}test_nothing_is_recorded_without_a_gpu"),
        ("All of this", f"{OF_GRAPHS}test_replayed_steps_give_the_bits_of_computed_ones"),
        ("It was not", "test_cuda_graphs.py::test_replayed_steps_give_the_bits_of_computed_ones_on_a_gpu"),
    ],
    "Where exactness ends: data": [
        ("A resumed run ends", "test_random_data.py::test_number_of_workers_and_a_kill_change_nothing"),
        ("**What is drawn", "loading/test_seeded_batches.py::test_collating_is_seeded_too"),
        ("It may be drawn", "loading/test_seeded_batches.py::test_generators_of_a_data_set_are_seeded_for_each_batch"),
        ("Only what a sample takes", "test_exactness.py::test_number_of_a_worker_is_the_only_thing_that_differs"),
        ("**Samples that cannot", "loading/test_sample_checks.py::test_samples_that_cannot_be_made_again_are_refused"),
        ("So are data sets", "test_random_data.py::test_samples_that_cannot_be_made_again_end_the_program_in_one_line"),
        ("With `deterministic", "loading/test_sample_checks.py::test_samples_that_cannot_be_made_again_are_said_where_bits_do_not_count"),
        ("What a data set changes", "test_exactness.py::test_what_a_data_set_changes_later_is_not_seen"),
        ("**Looking at the", "loading/test_sample_checks.py::test_data_set_is_left_as_it_was"),
        ("Only where the code", "loading/test_plain_samples.py::test_anything_else_is_not"),
        ("Only what it writes", "test_exactness.py::test_what_a_data_set_writes_to_disk_stays"),
        ("The check is skipped", "loading/test_call_in_fork.py::test_one_that_waits_for_ever_is_given_up"),
        ("**A sampler**", "loading/test_order.py::test_sampler_that_cannot_be_resumed_or_used_is_refused"),
        ("What it draws from", "loading/test_batch_order.py::test_batches_are_the_same_for_the_same_epoch"),
        ("**What a callback", "test_exactness.py::test_change_at_a_step_counts_at_once_or_from_the_next_iteration_on"),
        ("Changed between", "test_exactness.py::test_change_between_iterations_gives_the_same_bits_with_any_number_of_workers"),
        ("Workers live on", "loading/test_in_place_changes.py::test_workers_live_on_where_callbacks_change_no_data"),
        ("**Data that changed", "test_random_data.py::test_data_that_changed_are_told_and_the_run_goes_on"),
        ("Of a large tensor", "loading/test_contents.py::test_some_rows_of_a_large_tensor_suffice"),
    ],
    "The version of the numbers": [
        ("The same config gives", "../contract/test_numbers.py::"),
        ("The version is raised", "../contract/test_numbers.py::"),
        ("It is in every", "test_numbers_version.py::test_results_checkpoints_and_progress_name_the_version"),
        ("A run that another", "test_numbers_version.py::test_run_of_other_numbers_begins_again"),
        ("What was computed", "test_numbers_version.py::test_what_was_set_aside_before_is_kept_too"),
        ("`checkpoint.other_numbers` decides", "test_numbers_version.py::test_environment_decides_for_runs_that_exist_already"),
        ("`restart` (default)", "test_numbers_version.py::test_run_of_other_numbers_begins_again"),
        ("`resume` |", "test_numbers_version.py::test_run_of_other_numbers_goes_on_where_the_user_says_so"),
        ("`refuse` |", "test_numbers_version.py::test_run_of_other_numbers_is_refused_where_the_user_says_so"),
    ],
    "Use a finished run": [
        ("That is the model", "test_load_finished.py::test_best_and_last_weights_are_those_that_were_trained"),
        ("Nothing is drawn", "test_main.py::test_importing_the_trainer_changes_nothing"),
    ],
    "Errors": [
        ("a wrong value,", "test_wrong_configs.py::test_wrong_configuration_is_one_line_before_the_first_step"),
        ("an argument of an optimizer", "test_pytorch_arguments.py::test_value_that_cannot_be_meant_is_one_line"),
        ("a top-level key that", "test_known_keys.py::test_misspelt_key_is_refused_with_the_right_one"),
        ("a top-level key of", "test_known_keys.py::test_program_says_which_keys_are_not_read"),
        ("a wrong value that your code", "test_wrong_returns.py::test_wrong_value_is_one_line_or_does_no_harm"),
        ("an exception in your", "test_failing_modules.py::test_failure_says_where_and_leaves_no_results"),
        ("a loss that is not a", "test_early_checks.py::test_what_cannot_work_is_told_before_the_first_step"),
        ("code in which", "test_careless_modules.py::test_careless_module_is_refused"),
        ("a first iteration, with", "test_still_weights.py::test_training_without_a_change_is_told_once"),
        ("a loss that is not finite", "test_early_checks.py::test_loss_that_is_no_number_is_noticed_when_it_is_summed_up"),
        ("a loader worker whose", "loading/test_sent_batches.py::test_batch_that_cannot_be_sent_is_refused"),
        ("a loader worker that", "loading/test_worker_failures.py::test_worker_that_is_killed_is_a_lack_of_memory"),
        ("`sys.exit(0)` in", "test_main.py::test_run_that_ends_the_program_itself_has_failed"),
        ("more memory at once", "test_impossible_memory.py::test_model_that_is_too_large_is_one_line"),
        ("a `MemoryError` of", "test_impossible_memory.py::test_request_of_python_that_the_system_refused_exceeds_all_memory"),
        ("a data set with more", "loading/test_order.py::test_more_samples_than_memory_for_their_order_are_refused"),
        ("Loader workers end", "loading/test_orphans.py::test_no_process_outlives_a_killed_trainer"),
        ("If the loss of a", "test_early_checks.py::test_weights_that_are_not_finite_are_not_saved"),
        ("A process of `orch`", "test_lazy_compiler.py::test_training_does_without_it"),
        ("That is done for", "test_main.py::test_importing_the_trainer_changes_nothing"),
    ],
}  # fmt: skip


def test_each_section_that_says_how_the_trainer_behaves_is_here() -> None:
    """All but the table of modules, whose names and keys other tests read."""
    headings = re.findall(
        r"^##+ (.*)$", re.sub(r"```.*?```", "", GUIDE.read_text(), flags=re.DOTALL), re.MULTILINE
    )
    assert {*TESTS} == {*headings} - {"Modules to choose from"}


@pytest.mark.parametrize("section", TESTS)
def test_each_sentence_of_the_guide_has_a_test(section: str) -> None:
    """A sentence that is new or changed needs one, and one that is gone has none."""
    sentences = sentences_of(section)
    entries = [beginning for beginning, _ in TESTS[section]]
    for sentence, beginning in zip(sentences, entries, strict=False):
        assert sentence.startswith(beginning), "name a test of this sentence, or remove the entry"
    assert len(sentences) == len(entries)


@pytest.mark.parametrize("section", TESTS)
def test_named_tests_exist(section: str) -> None:
    """A test that is renamed is found here."""
    for _, test in TESTS[section]:
        if test != ADVICE:
            file, _, name = test.partition("::")
            content = (Path(__file__).parent / file).read_text()
            assert f"\ndef {name}" in content, test
