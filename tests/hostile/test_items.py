"""Which tests show that each kind of hostile input is refused; all of them are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
API, HERE = "control/api", "hostile"
IMAGES = "hostile/test_images.py"
REGISTRY = "real/engine/registry/test_hostile_registry.py"
CONTAINERS = "real/engine/test_hostile_containers.py"
COPY, CACHE = "real/engine/test_build_copy.py", "real/engine/test_build_cache.py"
COPIES = "real/engine/containers/test_hostile_copies.py"
VOLUMES = "real/node/test_volumes.py"
PODS, BRIDGES = "real/network/test_pods.py", "real/engine/networks/test_bridges.py"
ITEMS: dict[str, tuple[str, ...]] = {
    "`../` and absolute entries": (
        f"{IMAGES}::test_a_way_up",
        f"{IMAGES}::test_an_absolute_name",
    ),
    "a symlink, then a write through it": (
        f"{IMAGES}::test_a_symlink_then_a_write_through_it",
        f"{IMAGES}::test_a_file_in_place_of_a_symlink_does_not_write_through_it",
    ),
    "a hardlink outside": (f"{IMAGES}::test_a_hard_link_to_a_file_outside",),
    "device nodes and setuid xattrs": (
        f"{IMAGES}::test_a_device",
        f"{IMAGES}::test_attributes_that_overlayfs_or_the_kernel_would_obey",
        f"{IMAGES}::test_setuid_stays_what_the_layer_says_and_no_more",
    ),
    "a whiteout outside its layer": (
        f"{IMAGES}::test_a_whiteout_outside_its_layer",
        f"{IMAGES}::test_a_whiteout_in_a_linked_folder_hides_nothing_outside",
    ),
    "a symlink chain at PATH_MAX": (
        f"{IMAGES}::test_a_chain_of_symlinks_as_long_as_a_path_may_be",
    ),
    "a 10 GB gzip or zstd bomb": (
        f"{IMAGES}::test_a_bomb_is_cut_off",
        f"{IMAGES}::test_a_decompressor_that_would_take_all_memory",
        f"{IMAGES}::test_a_map_of_holes_without_end",
    ),
    "a million tiny files": (f"{IMAGES}::test_a_million_tiny_files_are_not_taken_in",),
    "a digest or size that differs": (
        f"{REGISTRY}::test_a_digest_that_differs",
        f"{REGISTRY}::test_a_size_that_differs",
        f"{REGISTRY}::test_a_manifest_under_another_digest",
        f"{REGISTRY}::test_a_layer_of_another_image_than_its_configuration_says",
    ),
    "a document that is both manifest and index": (
        f"{IMAGES}::test_a_document_that_is_both_manifest_and_index",
        f"{REGISTRY}::test_a_document_that_is_both_manifest_and_index",
        f"{REGISTRY}::test_a_document_sent_as_what_it_is_not",
    ),
    "layer `urls` that would be sent credentials": (
        f"{REGISTRY}::test_a_layer_that_lies_at_the_address_of_a_thief",
        f"{REGISTRY}::test_a_redirect_elsewhere_is_followed_without_secrets",
    ),
    "a huge manifest": (
        f"{REGISTRY}::test_a_huge_manifest",
        f"{REGISTRY}::test_indexes_in_indexes_without_end",
    ),
    "labels taken for truth": (f"{IMAGES}::test_labels_and_annotations_are_not_taken_for_truth",),
    "a symlink swapped during copy": (
        f"{COPY}::test_links_that_are_swapped_while_a_build_copies",
        f"{COPIES}::test_a_link_that_is_swapped_meanwhile_leads_nowhere",
    ),
    "a decompressor taken from the container's PATH": (
        f"{IMAGES}::test_no_decompressor_is_taken_from_a_path",
        f"{CACHE}::test_no_program_of_the_image_unpacks_an_archive",
    ),
    "copying out of a hostile tar": (
        f"{COPY}::test_a_hostile_archive_is_refused",
        f"{COPIES}::test_archives_write_through_no_link_out_of_the_root",
    ),
    "an oversized body that skips authorization": (
        f"{API}/writing/test_bad_input.py::test_large_bodies_are_refused_only_after_authorization",
        "foundation/wire/test_http.py::test_a_body_that_nobody_asks_for_is_not_taken_in",
    ),
    "`COPY ../` and a symlinked context": (
        f"{COPY}::test_a_context_that_is_a_link_shows_nothing_outside",
        f"{COPY}::test_links_of_an_archive_stay_within_the_image",
    ),
    "a cache-mount race": (
        f"{CACHE}::test_a_cache_folder_whose_links_are_swapped",
        f"{CACHE}::test_steps_take_turns_or_get_a_folder_each",
    ),
    "a working directory of `/proc/self/fd/N`": (
        f"{CONTAINERS}::test_a_working_directory_that_leads_to_a_descriptor_leads_nowhere",
        f"{CONTAINERS}::test_a_missing_working_directory_is_made_inside_and_is_roots",
    ),
    "overwriting the runtime's binary": (
        f"{CONTAINERS}::test_the_runtimes_binary_is_out_of_reach",
    ),
    "races on masked paths and the console": (
        f"{CONTAINERS}::test_links_in_the_place_of_masked_paths_and_devices_reach_nothing",
    ),
    "a `subPath` symlink swap": (
        f"{VOLUMES}::test_a_part_that_is_swapped_for_a_link_while_it_is_mounted",
        f"{VOLUMES}::test_a_part_that_is_swapped_after_the_mount_changes_nothing",
        f"{VOLUMES}::test_a_sub_path_never_leads_to_the_host",
        "real/engine/containers/test_volume_parts.py::"
        "test_a_part_that_is_swapped_shows_nothing_of_the_host",
    ),
    "gitRepo volumes": (f"{VOLUMES}::test_a_repository_is_never_fetched_into_a_volume",),
    "an empty seccomp localhost profile": (
        "node/test_seccomp_profiles.py::test_only_a_document_is_a_profile",
        "engine/runtime/test_seccomp_document.py::test_what_is_no_profile_is_refused",
    ),
    "a sysctl with `+`": (f"{CONTAINERS}::test_a_sysctl_of_the_machine_is_refused",),
    "endless exec output": (
        f"{CONTAINERS}::test_endless_output_of_a_command_is_held_by_its_reader",
    ),
    "an ever-growing log or `/etc/hosts`": (
        f"{CONTAINERS}::test_an_ever_growing_log_stays_within_its_limits",
        f"{CONTAINERS}::test_a_hosts_file_can_be_kept_from_growing",
        "real/engine/networks/test_names.py::test_files_that_grow_without_end_harm_nobody_else",
    ),
    "a fork bomb": (f"{CONTAINERS}::test_a_fork_bomb_ends_with_its_container",),
    "`runAsNonRoot` with `USER root`": (
        "node/test_container_configuration.py::"
        "test_run_as_non_root_refuses_images_that_may_run_as_root",
        "node/test_container_configuration.py::test_run_as_non_root_refuses_user_zero",
    ),
    "`externalIPs`": (
        f"{API}/writing/test_services.py::test_no_service_claims_addresses_of_others",
    ),
    "127.0.0.1 services from a neighbour": (
        f"{PODS}::test_loopback_is_out_of_a_neighbours_reach",
        f"{BRIDGES}::test_loopback_is_out_of_containers_and_neighbours_reach",
    ),
    "forged VXLAN packets": (f"{PODS}::test_overlay_packets_of_strangers_are_dropped",),
    "ARP and address spoofing between pods": (
        f"{PODS}::test_a_pod_cannot_speak_with_another_address",
        f"{PODS}::test_frames_from_pod_to_pod_are_dropped",
        f"{BRIDGES}::test_a_container_cannot_take_anothers_address",
    ),
    "DNS amplification": (
        "network/test_dns_server.py::test_only_those_inside_are_answered",
        "real/engine/networks/test_names.py::test_no_answer_leaves_the_namespace",
    ),
    "YAML and JSON bombs, 10,000 levels deep": (
        f"{HERE}/test_bodies.py::test_bombs_are_refused_in_bounded_time_and_memory",
        f"{API}/writing/test_bad_input.py::test_bodies_that_are_no_objects",
        f"{API}/protobuf/test_decoding.py::test_nesting_is_bounded",
    ),
    "JSON patch `copy` growth": (
        f"{API}/writing/test_bad_input.py::test_patches_that_grow_without_bound_are_refused",
    ),
    "slow headers, floods of streams": (
        "foundation/wire/test_http.py::test_headers_that_never_end_close_the_connection",
        f"{HERE}/test_connections.py::test_a_flood_of_requests_is_not_taken_in",
        f"{API}/fairness/test_stage.py::test_another_user_is_served_among_the_first_of_a_flood",
    ),
    "a reused upgraded connection": (
        f"{HERE}/test_upgrades.py::test_a_refused_upgrade_is_no_tunnel",
    ),
    "node and service proxies to loopback and link-local addresses": (
        f"{API}/proxies/test_target_name.py::test_no_proxy_leads_to_this_machine_or_its_link",
    ),
    "webhook and APIService redirects": (
        f"{API}/admission/test_webhooks.py::test_what_answers_badly_is_a_failure",
        f"{API}/aggregation/test_aggregation.py::test_redirects_are_not_followed_nor_passed_on",
    ),
    "an object named `../x`": (
        f"{HERE}/test_names.py::test_no_kind_takes_such_a_name",
        f"{HERE}/test_names.py::test_paths_lead_nowhere_else",
    ),
    "a namespaced role reaching cluster-scoped objects": (
        f"{API}/reviews/test_access.py::test_a_namespaced_role_reaches_nothing_of_the_cluster",
    ),
    "webhook timeouts under both failure policies": (
        f"{API}/admission/test_webhooks.py::test_time_limits_under_both_failure_policies",
    ),
    "runaway regular expressions and CEL": (
        "kubernetes/expressions/test_hostile.py::test_loops_in_loops_end_at_the_budget",
        "kubernetes/expressions/test_hostile.py::test_patterns_take_linear_time",
        f"{API}/admission/test_policies.py::test_work_without_end_is_stopped",
        f"{HERE}/test_bodies.py::test_a_pattern_of_a_schema_takes_linear_time",
        f"{HERE}/test_bodies.py::test_expressions_without_end_are_refused_with_their_definition",
    ),
    "control characters in names and events": (
        f"{HERE}/test_names.py::test_no_kind_takes_such_a_name",
        f"{HERE}/test_names.py::test_signs_in_an_event_reach_nobody_raw",
        f"{HERE}/test_names.py::test_signs_never_break_a_header",
    ),
    "anonymous requests, to the API and to a node": (
        f"{API}/test_discretion.py::test_nobody_gets_in_without_a_name",
        "node/test_kubelet_api.py::test_others_are_refused",
    ),
    "escalate, bind, impersonate": (
        f"{API}/reviews/test_access.py::test_nobody_grants_what_they_do_not_have",
        f"{API}/authorization/test_roles.py::test_who_binds_a_role_holds_it_or_the_verb_to_bind_it",
        f"{API}/authentication/test_impersonation.py::test_each_part_of_an_identity_needs_its_permission",
    ),
    "tokens that are expired, for another audience, of a deleted pod, or `alg: none`": (
        f"{API}/reviews/test_access.py::test_tokens_that_are_not_taken",
        f"{API}/reviews/test_access.py::test_a_token_ends_with_its_account",
        f"{API}/reviews/test_access.py::test_tokens_of_workloads",
    ),
    "a node editing another node's objects or its own owner references": (
        f"{API}/authorization/test_nodes.py::test_a_node_leaves_other_nodes_alone",
        f"{API}/reviews/test_access.py::test_a_node_writes_what_is_its_own",
    ),
    "`nodes/proxy` used as exec": (
        f"{API}/test_discretion.py::test_a_nodes_proxy_is_no_way_to_its_containers",
        f"{API}/proxies/test_proxies.py::"
        "test_entering_a_pod_by_its_node_needs_the_permission_to_enter_it",
    ),
    "an ephemeral container past policy": (
        f"{HERE}/test_ephemeral_containers.py::test_the_standard_of_the_namespace_holds",
        f"{HERE}/test_ephemeral_containers.py::test_policies_for_the_subresource_hold",
    ),
    "secrets in logs, audit, process lists": (
        f"{API}/test_discretion.py::test_tokens_and_secrets_are_in_no_log_and_no_refusal",
        f"{API}/audit/test_audited.py::test_writes_are_told_and_bodies_are_not",
        "real/cluster/test_secrets.py::test_no_process_shows_them_in_its_command_line",
        "real/cluster/test_secrets.py::test_no_log_and_no_audit_tells_them",
    ),
}


@pytest.mark.parametrize("item", ITEMS)
def test_each_is_shown(item: str) -> None:
    for shown in ITEMS[item]:
        file, _, function = shown.partition("::")
        text = (ROOT / "tests" / file).read_text()
        assert re.search(rf"^(async )?def {function}\(", text, re.MULTILINE), shown
