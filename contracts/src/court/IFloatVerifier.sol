// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IFloatVerifier
/// @notice Float arithmetic of WebAssembly with canonical NaNs: docs/step-machine.md section 4.7.
interface IFloatVerifier {
    /// @notice The number is no float instruction of section 4.7, or one that works on the sign bit alone.
    error OpcodeUnknown(uint256 op);

    /// @notice Result of one float instruction.
    /// @param op Number of the instruction.
    /// @param x First operand's slot; of a 32-bit operand only the low half counts.
    /// @param y Second operand's slot, not looked at if the instruction has one operand.
    /// @return result The slot it pushes.
    /// @return trap Whether the instruction traps instead.
    function compute(uint256 op, uint256 x, uint256 y) external pure returns (uint256 result, bool trap);
}
