// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IStepVerifier
/// @notice Checks one step of the step machine: docs/step-machine.md is normative, section 7 describes proofs.
interface IStepVerifier {
    /// @notice What of a proof does not match.
    enum Fault {
        Length,
        Code,
        Stack,
        Slots,
        Locals,
        Globals,
        Memory,
        Table,
        Rest,
        Frame,
        Io,
        Env,
        Input,
        Output,
        Status
    }

    /// @notice The proof is not one of any step. It says nothing about the state, and nobody loses by it.
    error ProofInvalid(Fault fault);

    /// @notice The state a proof opens, and the state that follows it.
    /// @dev Keeps no state and asks nobody but the float unit. Total: for every state there is exactly one accepted
    /// proof, apart from hash collisions.
    /// @dev Warning: compare `before` with the state the parties agree on; the proof alone claims nothing about it. Never
    /// read a revert as the loss of whoever sent the proof, because running out of gas reverts too.
    /// @param proof Header and the parts of the state that the step needs, as docs/step-machine.md section 7 lays out.
    /// @return before Hash of the state the proof opens.
    /// @return next Hash of the state one step later; equal to `before` if the machine has halted.
    function step(bytes calldata proof) external view returns (bytes32 before, bytes32 next);
}
